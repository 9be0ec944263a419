"""Nightly rebuilds: what is deployed, what is rebuilt, and the table."""
