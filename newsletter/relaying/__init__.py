"""The relays: which to use now, and how much may leave through them."""
