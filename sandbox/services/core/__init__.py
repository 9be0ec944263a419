"""What the stand-ins share: how they listen and read forms."""
