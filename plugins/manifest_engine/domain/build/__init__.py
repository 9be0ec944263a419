"""Builds: what an image follows from, its builder and its cache."""
