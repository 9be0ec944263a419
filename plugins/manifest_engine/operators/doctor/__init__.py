"""The step of ``check_installation``."""
