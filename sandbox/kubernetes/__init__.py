"""The Kubernetes cluster: containerd, control plane, node, roles and pull secret."""
