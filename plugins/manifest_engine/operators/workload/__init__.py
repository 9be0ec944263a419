"""Step ``apply_deployment``."""
