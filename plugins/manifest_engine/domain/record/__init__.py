"""The audit entry and its redaction."""
