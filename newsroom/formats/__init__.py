"""FORMAT_MODULE_PATH: formats of dates and numbers that differ from Django's.

Django has none for Belarusian.
"""
