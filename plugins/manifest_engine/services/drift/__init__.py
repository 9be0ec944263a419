"""Finds changes by hand in the cluster, and takes fields over from other field managers."""
