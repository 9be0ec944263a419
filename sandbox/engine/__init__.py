"""The Docker engine and the base image."""
