"""Requirements of an installation, and the table of the results."""
