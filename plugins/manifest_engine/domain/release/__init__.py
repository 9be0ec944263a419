"""The planned release, and its record in labels and annotations."""
