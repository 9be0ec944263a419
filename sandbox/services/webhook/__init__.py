"""A webhook that receives events."""
