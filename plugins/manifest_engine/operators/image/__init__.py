"""Steps ``build_image``, ``push_image`` and ``describe_image``."""
