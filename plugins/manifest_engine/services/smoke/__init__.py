"""Watches the pod of a smoke test until there is a verdict."""
