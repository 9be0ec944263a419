"""The difference that a dry run shows."""
