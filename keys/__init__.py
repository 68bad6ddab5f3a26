"""What seals, signs and names: keys, the things made with them, and their destruction."""
