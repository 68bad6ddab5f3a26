"""How dates and numbers are written and read in each language, where Django's way is not ours.

Django looks for `newsroom.formats.<language>.formats` (FORMAT_MODULE_PATH) before its own. It
has none at all for Belarusian.
"""
