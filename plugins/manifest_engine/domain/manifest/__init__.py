"""The manifest: its fields, their rules and its JSON Schema."""
