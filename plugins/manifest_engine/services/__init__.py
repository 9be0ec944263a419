"""Work for one subject that combines several hooks."""
