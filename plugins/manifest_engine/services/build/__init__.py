"""Builds the image of a release on a builder, or finds the image in the registry."""
