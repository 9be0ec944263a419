"""The artifact: checks of the service's ZIP, and its conversion to a build context."""
