"""Topics, articles in their languages, digests: what the newsroom writes and readers read."""
