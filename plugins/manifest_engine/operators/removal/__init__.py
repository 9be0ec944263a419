"""The steps of ``remove_service``."""
