"""Servers outside the cluster; each stand-in refuses what the real service refuses."""
