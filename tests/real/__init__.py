"""A deployment to a team's own Artifactory, registry and cluster: ``make test-real``."""
