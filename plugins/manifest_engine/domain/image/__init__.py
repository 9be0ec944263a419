"""References of base images, and manifests that attach content to an image."""
