"""BuildKit through ``docker buildx build``, and the tools beside it."""
