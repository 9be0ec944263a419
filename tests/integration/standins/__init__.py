"""A package, because its modules have the same names as modules of other folders."""
