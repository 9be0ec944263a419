"""Turns a service's ZIP in Artifactory into a running service on AKS; see docs/."""

__version__ = "0.1.0"
"""The version. The wheel, the provider metadata and ``--version`` read this value."""
