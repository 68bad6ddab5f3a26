"""Settings that the other settings modules read: the site's addresses and its keys."""

from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from newsroom import env

env.reject_renamed_variables()

BASE_DIR = Path(__file__).resolve().parent.parent
PRODUCTION = env.boolean("PRODUCTION", False)
DEBUG = env.boolean("DEBUG", False)
if PRODUCTION and DEBUG:
    raise ImproperlyConfigured("DEBUG is on in production. Unset DEBUG or PRODUCTION.")

VAR_DIR = env.directory("VAR_DIR", BASE_DIR / "var")

# --- Addresses -----------------------------------------------------------------------

# The first of three that `make run` uses: the site, the mail catcher's page and its SMTP port.
PORT = env.integer("PORT", 8000, minimum=1024, maximum=65533)
if PRODUCTION:
    env.required("SITE_URL", "the site's address, such as https://example.org")
# The base of links in letters and feeds; the Host header never is.
SITE_URL = env.site_url("SITE_URL", f"http://127.0.0.1:{PORT}")
# For /.well-known/security.txt (RFC 9116).
SECURITY_CONTACT = env.contact_urls("SECURITY_CONTACT")
SECURITY_EXPIRES = env.optional_date("SECURITY_EXPIRES")
if bool(SECURITY_CONTACT) != bool(SECURITY_EXPIRES):
    raise ImproperlyConfigured(
        "SECURITY_CONTACT and SECURITY_EXPIRES go together: set both or neither."
    )
# Off, since sharing a link that names the newsroom can be a crime where its visitors live.
SITE_NAME_IN_PREVIEWS = env.boolean("SITE_NAME_IN_PREVIEWS", False)
# Public pages work under any name, for mirrors; nothing trusts the Host header.
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", ["*"])
# Under any other name /admin/ is not found.
ADMIN_HOSTS = env.hosts("ADMIN_HOSTS", [str(urlsplit(SITE_URL).hostname)] if PRODUCTION else ["*"])

# --- Keys ----------------------------------------------------------------------------

KEYS_DIR = VAR_DIR / "keys"
# "none" for the web process and beat, which must not be able to read the list.
WORKER_KEY_FILE = env.optional_file_path(
    "WORKER_KEY_FILE", None if PRODUCTION else KEYS_DIR / "worker.key"
)
INTAKE_KEY_FILE = env.file_path("INTAKE_KEY_FILE", KEYS_DIR / "intake.pub")
LINKS_KEY_FILE = env.file_path("LINKS_KEY_FILE", KEYS_DIR / "links.key")
SECRET_KEY = (
    env.secret("SECRET_KEY")
    if PRODUCTION
    else env.string("SECRET_KEY", "for a newcomer's machine; production refuses to start with it")
)
