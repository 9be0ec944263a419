"""What all parts use: settings, processes, certificates and the start order."""
