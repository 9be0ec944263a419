"""One hook per outside system, one Airflow connection type each."""
