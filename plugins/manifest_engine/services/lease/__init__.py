"""Acquires, renews and releases the lease of a service."""
