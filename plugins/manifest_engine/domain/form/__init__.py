"""The forms in Airflow's UI that start a run."""
