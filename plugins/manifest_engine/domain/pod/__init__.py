"""What a pod is made of, besides its container: placement, volumes and privileges."""
