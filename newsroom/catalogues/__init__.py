"""Message catalogues, without the gettext programs.

locale/<language>/ holds the project's strings, locale/packages/<language>/ those that third-party
packages do not translate, or not well; see docs/languages.md.
"""
