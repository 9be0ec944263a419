"""BuildKit through ``docker buildx build``, a Dockerfile linter and an SBOM generator."""
