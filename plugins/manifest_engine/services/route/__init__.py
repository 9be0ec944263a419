"""Changes a route, waits for the gateway and calls the public URL."""
