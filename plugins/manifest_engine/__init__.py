"""Turns a service's ZIP in Artifactory into a running service on AKS; see docs/."""
