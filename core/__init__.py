"""What at least two apps use, and nothing that knows of an app."""
