"""The rules: plain functions and frozen models. No Airflow, no network, no clock."""
