"""Step ``download_artifact``."""
