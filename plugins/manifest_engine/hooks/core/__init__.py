"""What several hooks use: Connections, retries and causes of errors."""
