"""The private Python package index."""
