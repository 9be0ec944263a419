"""Reads what runs in the clusters and which runs made it, bounded in time, for API and pages."""
