"""Artifactory: file information and verified downloads."""
