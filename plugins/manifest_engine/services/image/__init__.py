"""Looks images up: base images, released tags, and images that are gone."""
