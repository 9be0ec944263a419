"""The parts of a pod besides its container: placement, volumes and privileges."""
