"""A package, so that its modules may bear the names of others."""
