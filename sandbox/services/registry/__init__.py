"""The registry, and the stand-in for ACR's token service."""
