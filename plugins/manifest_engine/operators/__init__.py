"""One operator per step of a flow: render, call a service, record."""
