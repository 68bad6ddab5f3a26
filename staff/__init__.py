"""Who works here, and the doors they come in by."""
