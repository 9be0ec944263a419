"""One operator per step of the flow: render, call a hook, record."""
