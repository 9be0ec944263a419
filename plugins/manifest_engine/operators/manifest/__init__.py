"""Step ``validate``."""
