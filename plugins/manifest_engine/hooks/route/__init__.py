"""The public URL of a service."""
