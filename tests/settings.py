"""The newsroom's settings, made quick: whatever a test is not about costs nothing.

Only for the process that runs the tests. What they start is a newsroom, with its own settings.
"""

from newsletter.delivery.relays.config import Relay
from newsroom.settings import *  # noqa: F403
from newsroom.settings import DATABASES

# Mails to subscribers are in `mail.outbox`, as Django's own are.
RELAYS = (Relay.parse("backend:django.core.mail.backends.locmem.EmailBackend"),)

# The real hasher is slow on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Looked up when asked for: every client makes the middleware anew, which would walk through 1,400
# files each time.
WHITENOISE_AUTOREFRESH = True
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # No test pulls the plug of the machine.
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA secure_delete=ON;"
    )
