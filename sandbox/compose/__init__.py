"""The stack of ``docker-compose.yaml`` beside the sandbox."""
