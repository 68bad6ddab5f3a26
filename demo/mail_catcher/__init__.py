"""An SMTP server for development, which stores every letter, relays none and shows them on a page.

Run it with `python -m demo.mail_catcher`. Tests use `catcher.Catcher`. Not for production.
"""
