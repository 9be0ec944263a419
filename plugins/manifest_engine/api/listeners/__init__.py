"""Listeners: Airflow calls them when a run begins or ends."""
