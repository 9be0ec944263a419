"""Changes of a service's objects that no release made."""
