"""Step ``validate_rollback``."""
