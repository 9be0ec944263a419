"""The audit entry, and what is redacted from it."""
