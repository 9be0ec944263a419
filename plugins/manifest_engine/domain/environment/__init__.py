"""The environments of ``include/environments.yaml``."""
