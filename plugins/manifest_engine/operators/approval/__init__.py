"""Step ``approve``."""
