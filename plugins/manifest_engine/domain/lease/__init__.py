"""One deployment of a service at a time, the newest request last."""
