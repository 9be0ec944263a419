"""Shared by several hooks: Connections, retries and causes of errors."""
