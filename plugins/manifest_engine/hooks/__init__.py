"""One folder per outside system, with the Airflow hook of its Connection."""
