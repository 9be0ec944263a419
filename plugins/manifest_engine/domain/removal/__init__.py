"""The removal of a service from an environment."""
