"""The gateway: Contour and Envoy."""
