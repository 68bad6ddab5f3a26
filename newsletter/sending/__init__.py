"""Lanes claim, re-check, send and record; a sweep settles what a dead lane left."""
