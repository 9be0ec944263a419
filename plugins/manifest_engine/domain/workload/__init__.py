"""The Kubernetes objects of a service, and why a rollout fails."""
