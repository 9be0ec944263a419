"""The service's ZIP: what is refused, and how it becomes a build context."""
