"""Code for all hooks: Connections, retries and causes of errors."""
