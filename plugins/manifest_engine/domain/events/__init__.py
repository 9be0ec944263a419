"""What others are told about deployments: events, chat messages and metrics."""
