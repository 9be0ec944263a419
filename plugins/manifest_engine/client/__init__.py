"""The client for pipelines: deploys services over the API of an Airflow server.

The client needs Python, ``requests`` and this package, but not Airflow.
"""
