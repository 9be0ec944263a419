"""Entra ID identities and Azure Resource Manager."""
