"""Stand-ins for Entra ID, Azure Resource Manager and instance metadata."""
