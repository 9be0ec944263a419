"""The HTTP API, the pages and the audit listener."""
