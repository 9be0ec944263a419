"""The step that tells others about deployments."""
