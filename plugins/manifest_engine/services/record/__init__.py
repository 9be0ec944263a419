"""Live releases in the clusters and runs in Airflow, for the API and the pages."""
