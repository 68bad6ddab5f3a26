"""Topics, articles in several languages, digests: editing them and the public site."""
