"""The web process: python -m newsroom.web [--bind 127.0.0.1:8000] [--workers 2]."""

from newsroom import log_redaction, server

# Before Django is loaded, for errors in the settings.
log_redaction.install()

from newsroom.wsgi import application  # noqa: E402

if __name__ == "__main__":
    server.main(application)
