"""Checks an installation without changing anything."""
