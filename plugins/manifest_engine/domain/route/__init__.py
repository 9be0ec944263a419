"""The public route: its object, who owns a path, and what an answer means."""
