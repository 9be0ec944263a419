"""Finds the artifact of a release in Artifactory."""
