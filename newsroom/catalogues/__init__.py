"""The catalogues of translations, without gettext's programs.

locale/<language>/ holds our own strings. locale/packages/<language>/ holds those that the
packages we show to people do not translate themselves, or not well; see docs/languages.md.
"""
