"""The steps of ``rebuild_services``."""
