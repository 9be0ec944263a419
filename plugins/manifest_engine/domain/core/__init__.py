"""What every subject uses: errors, names and the base of all models."""
