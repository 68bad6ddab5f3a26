"""Bounces and complaints: fetching, classifying and applying them."""
