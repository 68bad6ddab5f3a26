"""A newsroom that never was, for trying things out."""
