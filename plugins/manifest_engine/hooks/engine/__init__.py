"""The Docker engine's HTTP API: address, TLS, errors and push events."""
