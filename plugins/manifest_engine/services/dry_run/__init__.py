"""Plans a release by server-side dry runs."""
