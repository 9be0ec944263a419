"""Plans a release against a cluster in which every write is a dry run."""
