"""The private package index with ``internal-utils``."""
