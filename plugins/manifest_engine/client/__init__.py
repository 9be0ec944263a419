"""Deploys and follows services from pipelines, over the API of an Airflow server.

It needs Python, ``requests`` and this package, but not Airflow.
"""
