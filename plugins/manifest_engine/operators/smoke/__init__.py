"""Step ``smoke_test``."""
