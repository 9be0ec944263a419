"""Turns a service's ZIP in Artifactory into a running service on AKS; see docs/."""

__version__ = "0.1.0"
"""The one place of the version: the wheel, the folder's metadata and ``--version`` read it."""
