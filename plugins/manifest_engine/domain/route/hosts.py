"""Host names and their wildcards, which Gateway API and Ingress read differently."""

from __future__ import annotations


def covers(pattern: str, host: str) -> bool:
    """As in Gateway API: ``*.`` stands for one or more labels."""
    return pattern == host or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def covers_one_label(pattern: str, host: str) -> bool:
    """As in an Ingress: ``*.`` stands for a single label."""
    return pattern == host or (pattern.startswith("*.") and host.partition(".")[2] == pattern[2:])
