"""Placement, volumes and privileges of pods."""
