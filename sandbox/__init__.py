"""The outside world of the package on one machine: engine, registry, cluster, gateway, Airflow."""
