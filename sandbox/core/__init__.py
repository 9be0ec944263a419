"""What every part uses: settings, processes, certificates and the order of start."""
