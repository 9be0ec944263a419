"""Request and report of the check of an installation."""
