"""Airflow, its database, and the client that deploys as Infra Hub does."""
