"""What the stand-ins' servers share."""
