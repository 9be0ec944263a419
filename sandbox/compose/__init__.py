"""Runs the stack of ``docker-compose.yaml`` beside the sandbox."""
