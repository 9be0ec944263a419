"""The machine: packages, bridges, mounts, kernel settings and the Go toolchain."""
