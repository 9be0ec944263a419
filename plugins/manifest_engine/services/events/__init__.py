"""Sends events, chat messages and metrics."""
