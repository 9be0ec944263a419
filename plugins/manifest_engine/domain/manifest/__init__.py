"""The manifest: its fields, the rules of the fields, and the JSON Schema."""
