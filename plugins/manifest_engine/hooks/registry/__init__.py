"""Azure Container Registry, or any registry with the same protocol."""
