"""A receiver of events."""
