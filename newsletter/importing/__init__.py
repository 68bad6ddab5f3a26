"""A list from elsewhere: taken in sealed, checked, applied, and undone if need be."""
