"""Settings of the test process, which are faster; started processes have newsroom.settings."""

from newsletter.delivery.relays.config import Relay
from newsroom.settings import *  # noqa: F403
from newsroom.settings import DATABASES

# Letters are in `mail.outbox`.
RELAYS = (Relay.parse("backend:django.core.mail.backends.locmem.EmailBackend"),)

# Fast.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Else WhiteNoise scans 1,400 files for every test client.
WHITENOISE_AUTOREFRESH = True
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Durability does not matter here.
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA secure_delete=ON;"
    )
