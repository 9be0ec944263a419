"""What several hooks do together for one subject."""
