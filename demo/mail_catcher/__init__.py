"""A relay for developers: takes every letter, hands none on, and shows what it took.

Run it with `python -m demo.mail_catcher`. A test takes `catcher.Catcher` as a real SMTP server.
It is in no production image, and nothing of the newsroom imports it.
"""
