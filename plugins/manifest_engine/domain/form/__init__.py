"""The forms with which people start a run."""
