"""One folder per outside system; the Airflow hook of its Connection stands there."""
