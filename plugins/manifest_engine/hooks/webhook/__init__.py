"""Webhooks that receive events."""
