"""The list, the letter and its sending."""
