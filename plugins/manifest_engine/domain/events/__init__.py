"""Events, chat messages and metrics about deployments."""
