"""Rules of an environment that need more than its configuration."""
