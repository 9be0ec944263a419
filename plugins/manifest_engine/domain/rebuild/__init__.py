"""Nightly rebuilds: the deployed services, the plan, and the table of results."""
