"""Builds: the inputs of an image, the builder, the cache and the allowed sources."""
