"""Servers that stand where the real ones cannot run; each refuses what the real one refuses."""
