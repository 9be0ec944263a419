"""Changes a route, waits until the Gateway accepts it, and calls the public URL."""
