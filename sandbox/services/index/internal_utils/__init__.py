"""A stand-in for the company's shared library, as the private package index serves it."""

from __future__ import annotations

import logging
from importlib.metadata import version

__all__ = ["__version__", "describe", "get_logger"]

__version__ = version("internal-utils")


def describe() -> str:
    """Name and version, for a service to show which one it was built with."""
    return f"internal-utils {__version__}"


def get_logger(name: str) -> logging.Logger:
    """A logger that writes the level, the name and the message to stderr, one line each."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    return logger
