"""Tells others about deployments."""
