"""The smoke test's pod and its verdict."""
