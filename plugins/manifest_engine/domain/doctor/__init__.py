"""What an installation needs, and the table of what is there."""
