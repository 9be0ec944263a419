"""Step ``record_release``."""
