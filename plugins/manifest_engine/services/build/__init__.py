"""Builds an image on one of the builders, or finds the one that the registry has."""
