"""Step ``publish_route``."""
