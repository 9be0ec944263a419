"""Looks up base images, released tags and purged images."""
