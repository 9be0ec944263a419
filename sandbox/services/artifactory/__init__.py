"""The Artifactory stand-in."""
