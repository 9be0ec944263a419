"""Shared by all subjects: errors, names, the base model, and text from outside."""
