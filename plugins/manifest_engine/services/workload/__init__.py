"""Applies a service's objects, follows the rollout and rolls back."""
