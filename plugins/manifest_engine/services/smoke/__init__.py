"""Watches the smoke test's pod until there is a verdict."""
