"""The Docker engine's HTTP API: client, errors and push events."""
