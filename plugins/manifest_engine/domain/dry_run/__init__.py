"""Dry runs: the difference between live objects and a release."""
