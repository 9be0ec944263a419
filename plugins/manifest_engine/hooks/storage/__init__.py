"""The artifact store: one Airflow object storage path."""
