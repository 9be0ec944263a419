"""The API server of a Kubernetes or AKS cluster."""
