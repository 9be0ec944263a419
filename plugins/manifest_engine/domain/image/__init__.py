"""Images: the names of base images, and what is attached to an image."""
