"""The step that sends events, chat messages and metrics."""
