"""The API server of a cluster, plain or AKS."""
