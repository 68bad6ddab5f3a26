"""All settings, read from the environment; `docs/administration.md` lists the variables.

Without any variable set this is a newcomer's machine: SQLite, Celery's filesystem broker
and keys that `make run` makes, all below `var/`. PRODUCTION=1 makes the dangerous defaults
errors.
"""

import datetime as dt
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from articles.text import sanitizer, typography
from newsletter.bounces.mailbox_config import Mailbox
from newsletter.delivery.relays.config import parse_all as parse_relays
from newsroom import env

BASE_DIR = Path(__file__).resolve().parent.parent
PRODUCTION = env.flag("PRODUCTION", False)
DEBUG = env.flag("DEBUG", False)
if PRODUCTION and DEBUG:
    raise ImproperlyConfigured("DEBUG is on in production. Unset DEBUG or PRODUCTION.")

VAR_DIR = env.folder("VAR_DIR", BASE_DIR / "var")

# --- Addresses -----------------------------------------------------------------------

# The first of three that `make run` uses: the site, the caught letters, the catcher's SMTP.
PORT = env.whole_number("PORT", 8000, least=1024, most=65533)
if PRODUCTION:
    env.required("SITE_URL", "the site's address, such as https://example.org")
# Links in letters and feeds come from here and never from a Host header.
SITE_URL = env.site_url("SITE_URL", f"http://127.0.0.1:{PORT}")
# Who is told of a flaw, in /.well-known/security.txt (RFC 9116), and until when that is true.
SECURITY_CONTACT = env.contacts("SECURITY_CONTACT")
SECURITY_EXPIRES = env.date_or_none("SECURITY_EXPIRES")
if bool(SECURITY_CONTACT) != bool(SECURITY_EXPIRES):
    raise ImproperlyConfigured(
        "SECURITY_CONTACT and SECURITY_EXPIRES go together: set both or neither."
    )
# Whether a shared link shows the newsroom's name: where its readers are, that can be a crime.
NAME_ON_CARDS = env.flag("NAME_ON_CARDS", False)
# Readers' pages work under any name, for mirrors; nothing trusts the Host header.
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", ["*"])
CSRF_FAILURE_VIEW = "newsroom.error_views.not_our_form"
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS", [SITE_URL])
# The admin answers under these only; under any other name there is no such page.
ADMIN_HOSTS = env.hosts("ADMIN_HOSTS", [str(urlsplit(SITE_URL).hostname)] if PRODUCTION else ["*"])

# --- Keys ----------------------------------------------------------------------------

KEYS_DIR = VAR_DIR / "keys"
# "none" in processes that must not be able to read the list: the web process and beat.
WORKER_KEY_FILE = env.file_or_none(
    "WORKER_KEY_FILE", None if PRODUCTION else KEYS_DIR / "worker.key"
)
INTAKE_KEY_FILE = env.file("INTAKE_KEY_FILE", KEYS_DIR / "intake.pub")
LINKS_KEY_FILE = env.file("LINKS_KEY_FILE", KEYS_DIR / "links.key")
SECRET_KEY = (
    env.secret("SECRET_KEY")
    if PRODUCTION
    else env.text("SECRET_KEY", "for a newcomer's machine; production refuses to start with it")
)

# --- Applications --------------------------------------------------------------------

INSTALLED_APPS = [
    "newsroom",
    "keys",
    "modeltranslation",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "ckeditor",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "staff",
    "articles",
    "newsletter",
]
if not PRODUCTION:
    INSTALLED_APPS.append("demo")
MIDDLEWARE = [
    "newsroom.security_headers.Headers",
    # Before all that looks at the host: whoever asks for our health may not know our name.
    "newsroom.health.Healthz",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "newsroom.middleware.AdminOnItsHosts",
    "newsroom.middleware.RequestSizeLimit",
    "newsroom.middleware.LanguageFromPath",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "newsroom.middleware.NoNullBytes",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "staff.middleware.SecondFactorFirst",
    "articles.public.redirects.OldPaths",
]
ROOT_URLCONF = "newsroom.urls"
WSGI_APPLICATION = "newsroom.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "newsroom.template_loader.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "staff.context_processors.of_the_admin",
            ],
        },
    },
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- Database ------------------------------------------------------------------------

DATABASE_URL = env.service(
    "DATABASE_URL",
    f"sqlite:///{VAR_DIR / 'newsroom.sqlite3'}",
    path="/.+",
    examples=("postgres://user:password@host/name", "postgresql://host/name", "sqlite:///path"),
)
# A connection outlives its request, but not a restart of the database.
DATABASES = {
    "default": dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True)
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Several processes write: take the write lock at BEGIN and wait for it, rather than
    # fail in the middle of a transaction. WAL lets readers go on meanwhile.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        # What is erased is overwritten, so that a key found later opens nobody who left.
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
        ),
    }
    # In a file, so that a test may look on while another process works on it.
    DATABASES["default"]["TEST"] = {"NAME": VAR_DIR / "test.sqlite3"}
else:
    # Seconds: a reader is told within them that the database is away.
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PAGE_CACHE_MB = env.whole_number("PAGE_CACHE_MB", 32, least=0, most=4096)
"""How much each web process may store of public pages; 0 stores none. See newsroom.page_cache."""

# --- Celery --------------------------------------------------------------------------

CELERY_BROKER_URL = env.service(
    "BROKER_URL",
    "filesystem://localhost",
    path=r"(/\d{0,3})?",
    examples=("redis://host:6379/0", "rediss://host:6379/0", "filesystem://localhost"),
)
BROKER_DIR = VAR_DIR / "broker"
if CELERY_BROKER_URL.startswith("filesystem:"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR),
        "data_folder_out": str(BROKER_DIR),
        "control_folder": str(BROKER_DIR / "control"),
        "polling_interval": 0.05,
    }
    # All processes have to count a client's attempts together.
    CACHES: dict[str, dict[str, Any]] = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache",
            # Of Django's 300 a stranger's attempts under other names would soon push out the
            # counts that close an account.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    }
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        # What a killed worker had fetched is handed out again soon. A task that comes twice
        # finds nothing to do, since the database decides.
        "visibility_timeout": 300,
        # A Redis that is away or silent must not hold up who signs up.
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.1,
        "socket_connect_timeout": 5,
        "socket_timeout": 10,
        "socket_keepalive": True,
        "health_check_interval": 30,
    }
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": CELERY_BROKER_URL,
            "KEY_PREFIX": "cache",
            "OPTIONS": {"socket_connect_timeout": 5, "socket_timeout": 10},
        }
    }
CELERY_TASK_IGNORE_RESULT = True
# Letters never stand behind anything else, so what a stranger can cause has queues of its own. A
# worker that is told of no queue serves them all.
LETTERS, SIGN_UPS, BACKGROUND = QUEUES = ("letters", "sign-ups", "background")
CELERY_TASK_QUEUES = {name: {"exchange": name, "routing_key": name} for name in QUEUES}
CELERY_TASK_ROUTES = {
    **dict.fromkeys(("articles.tick", "newsletter.tick"), LETTERS),
    **dict.fromkeys(("newsletter.sign_letters", "newsletter.work_lane"), LETTERS),
    **dict.fromkeys(("newsletter.take_sign_ups", "newsletter.send_single_mails"), SIGN_UPS),
}
# Whatever is not named above: imports, questions, bounces, pictures.
CELERY_TASK_DEFAULT_QUEUE = BACKGROUND
# A broker that is down is said at once, not waited for: the tick makes up for a lost task.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Nothing to keep: the first tick comes at once, and the database knows what is due.
CELERY_BEAT_SCHEDULER = "newsroom.beat_scheduler:TickScheduler"
CELERY_BEAT_SCHEDULE = {
    app: {
        "task": f"{app}.tick",
        "schedule": 60.0,
        "last_run_at": dt.datetime(2000, 1, 1, tzinfo=dt.UTC),
    }
    for app in ("articles", "newsletter")
}
CELERY_TIMEZONE = "UTC"

# --- Mail ----------------------------------------------------------------------------

if PRODUCTION:
    env.required("RELAY_URL", "the relay's address, such as smtp+starttls://user:pass@host:587")
RELAYS = parse_relays(env.text("RELAY_URL", f"smtp://127.0.0.1:{PORT + 2}"))
"""In the order in which they are used. Mails to the staff go by the first."""
RELAY_TIMEOUT = env.whole_number("RELAY_TIMEOUT", 30, least=1, most=600)
"""Seconds to wait for the relay to connect or to answer."""
if RELAYS[0].is_backend:
    EMAIL_BACKEND = RELAYS[0].host
EMAIL_HOST, EMAIL_PORT = RELAYS[0].host, RELAYS[0].port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = RELAYS[0].user, RELAYS[0].password
EMAIL_USE_TLS = RELAYS[0].scheme == "smtp+starttls"
EMAIL_USE_SSL = RELAYS[0].scheme == "smtps"
EMAIL_TIMEOUT = RELAY_TIMEOUT
globals().update(env.mail_settings("MAIL_SETTINGS"))
# Where bounces come back to; the opaque return path is built at this domain.
BOUNCE_DOMAIN = env.domain("BOUNCE_DOMAIN", "localhost")
BOUNCE_MAILDIR = env.folder_or_none("BOUNCE_MAILDIR", None)
BOUNCE_MAILBOX = Mailbox.parse(env.text("BOUNCE_IMAP_URL")) if env.text("BOUNCE_IMAP_URL") else None
"""Where a worker looks for them every few minutes; a pipe to `process_bounces` needs neither."""
JOURNAL_FILE = env.file("JOURNAL_FILE", VAR_DIR / "departures" / "journal")
"""Who left, as keyed hashes, apart from the database and its backups. A worker writes it."""
JOURNAL_DAYS = env.whole_number("JOURNAL_DAYS", 90, least=7, most=3650)
"""How old the oldest backup is that is kept: the journal reaches back as far."""
CONFIRMATIONS_PER_HOUR = env.whole_number("CONFIRMATIONS_PER_HOUR", 500, least=1, most=1_000_000)
"""Beyond that confirmations wait, so that nobody makes us flood other people's mailboxes."""
CONFIRMATIONS_PER_PROVIDER = env.whole_number(
    "CONFIRMATIONS_PER_PROVIDER", 200, least=1, most=1_000_000
)
"""An hour, to one provider's mailboxes; a domain that is not in PROVIDERS is one by itself."""
CONFIRMATIONS_PER_MAILBOX = env.whole_number("CONFIRMATIONS_PER_MAILBOX", 3, least=1, most=100)
"""A day, to one mailbox, whatever tags and dots its address is written with."""
MAX_WAITING_SIGN_UPS = env.whole_number("MAX_WAITING_SIGN_UPS", 2000, least=1, most=1_000_000)
"""With so many waiting to be asked to confirm the form takes no more in, and says so."""
IMPORT_MAX_MB = env.whole_number("IMPORT_MAX_MB", 256, least=1, most=4096)
"""How large a file may be that is uploaded in the admin; the command takes any."""
LIST_QUESTIONS_PER_DAY = env.whole_number("LIST_QUESTIONS_PER_DAY", 20, least=0, most=1000)
"""How often one member of staff may ask whether a person is on the list; a dry run asks once."""
LIST_QUESTIONS_PER_DAY_TOTAL = env.whole_number(
    "LIST_QUESTIONS_PER_DAY_TOTAL", 60, least=0, most=10_000
)
"""How often all of them together may: whoever controls the web process asks in any name."""
LANES = env.whole_number("LANES", 2, least=1, most=64)
"""How many lanes may work on one mailing at once."""
CONNECTIONS = env.whole_number("CONNECTIONS", 4, least=1, most=64)
"""How many letters each lane has under way at once, one a connection to the relay."""
# Which mailboxes belong together, so that limits can hold for a provider and no counter
# names a private domain. All others are "other".
PROVIDERS = {
    "gmail.com": "gmail",
    "googlemail.com": "gmail",
    "outlook.com": "outlook",
    "hotmail.com": "outlook",
    "live.com": "outlook",
    "yahoo.com": "yahoo",
    "icloud.com": "icloud",
    "me.com": "icloud",
    "proton.me": "proton",
    "protonmail.com": "proton",
    "pm.me": "proton",
    "tut.by": "tutby",
    "mail.ru": "mailru",
    "bk.ru": "mailru",
    "inbox.ru": "mailru",
    "list.ru": "mailru",
    "yandex.ru": "yandex",
    "ya.ru": "yandex",
}
LETTERS_PER_MINUTE = env.whole_number("LETTERS_PER_MINUTE", 0, least=0, most=1_000_000)
"""Of all mailings, through all relays; 0 for no limit."""
PROVIDER_LIMITS = env.numbers("PROVIDER_LIMITS", {*PROVIDERS.values(), "other"}, most=1_000_000)
"""Letters a minute to the mailboxes of one provider."""

# --- Languages -----------------------------------------------------------------------

LANGUAGES = [("en", "English"), ("be", "Беларуская"), ("ru", "Русский")]
LANGUAGE_CODE = "en"
# What a reader of a language is offered first where a text is missing in it.
NEAREST_LANGUAGES = {"be": ["ru"], "ru": ["be"]}
# CLDR locales where a language's plain one is not what the newsroom wants: day before month.
FORMAT_LOCALES = {"en": "en-GB"}
# Our own strings first, then what we say in place of the packages; see docs/languages.md.
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "packages"]
FORMAT_MODULE_PATH = ["newsroom.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.time_zone("TIME_ZONE", "UTC")
MODELTRANSLATION_LANGUAGES = tuple(code for code, _name in LANGUAGES)
MODELTRANSLATION_DEFAULT_LANGUAGE = LANGUAGE_CODE
# No text ever stands silently under another language's label.
MODELTRANSLATION_ENABLE_FALLBACKS = False
MODELTRANSLATION_CUSTOM_FIELDS = ("BodyField",)

# --- Files ---------------------------------------------------------------------------

STATIC_URL = "/static/"
# Where collectstatic puts them; without it they are served from where they lie.
STATIC_ROOT = env.folder_or_none("STATIC_ROOT", BASE_DIR / "staticfiles" if PRODUCTION else None)
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "/media/"
MEDIA_ROOT = env.folder("MEDIA_ROOT", VAR_DIR / "media")
WHITENOISE_USE_FINDERS = not PRODUCTION
# Our files are for our pages; its default invites every other site.
WHITENOISE_ALLOW_ALL_ORIGINS = False
# Messages stay in the session: the fallback would set a cookie for the whole site.
# Bytes of a form, of the few views that are made for as much and for who is logged in alone: see
# newsroom.middleware.RequestSizeLimit, and deploy/nginx.conf, which takes a little more.
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "newsroom.static_files.StaticFiles"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# Nothing of an upload lies on the disk in clear while it arrives, however large it is.
FILE_UPLOAD_HANDLERS = ["newsroom.upload_handlers.InMemoryUploadHandler"]

# --- Doors and headers ---------------------------------------------------------------

# Off in the demo of `make run`, so that a newcomer gets in.
REQUIRE_SECOND_FACTOR = env.flag("REQUIRE_SECOND_FACTOR", True)
if PRODUCTION and not REQUIRE_SECOND_FACTOR:
    raise ImproperlyConfigured(
        "REQUIRE_SECOND_FACTOR is off in production. Unset it: who may publish or send needs one."
    )
# Who may do no more than this, write and look, gets by with a password. See docs/staff.md.
WITHOUT_SECOND_FACTOR = frozenset(
    {
        "articles.add_article",
        "articles.add_picture",
        "articles.change_article",
        "articles.change_picture",
        "articles.delete_article",
        "articles.translate_article",
        "articles.view_article",
        "articles.view_author",
        "articles.view_digest",
        "articles.view_masthead",
        "articles.view_page",
        "articles.view_picture",
        "articles.view_revision",
        "articles.view_topic",
        "newsletter.view_edition",
        "newsletter.view_mailing",
    }
)
SECOND_APPROVER = env.flag("SECOND_APPROVER", False)
"""Whether a digest goes only after two people have approved the same letters."""
AUTHENTICATION_BACKENDS = ["staff.backends.StaffBackend"]
LOGIN_URL = LOGOUT_REDIRECT_URL = "account_login"
LOGIN_REDIRECT_URL = "/admin/"
SESSION_ENGINE = "staff.sessions"
ACCOUNT_ADAPTER = "staff.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_FORMS = {
    "login": "staff.forms.LoginForm",
    "reauthenticate": "staff.forms.PasswordAgainForm",
    "change_password": "staff.forms.ChangePasswordForm",
}
# Amount, time, and per what: `key` is what allauth makes it, a user's number. Passwords at the
# log-in are not in here: see staff.login_throttle. A limit by network alone would let a stranger
# in the same one, such as a VPN, keep out a browser that is known.
ACCOUNT_RATE_LIMITS = {
    "login": None,
    "login_failed": "5/5m/key",
    "reauthenticate": "10/m/user",
    "change_password": "5/m/user",
}
MFA_ADAPTER = "staff.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = str(urlsplit(SITE_URL).hostname)
# Addresses of staff are not verified, for no mail goes to them.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_FORMS = {
    "authenticate": "staff.forms.CodeForm",
    "reauthenticate": "staff.forms.CodeAgainForm",
    "activate_totp": "staff.forms.ActivateAppForm",
    "add_webauthn": "staff.forms.AddKeyForm",
    "authenticate_webauthn": "staff.forms.KeyForm",
    "reauthenticate_webauthn": "staff.forms.KeyAgainForm",
}
# How many proxies of ours stand before the site, each adding to X-Forwarded-For. Behind one
# that is not counted all staff are one client, whom any stranger can lock out.
ALLAUTH_TRUSTED_PROXY_COUNT = env.whole_number(
    "TRUSTED_PROXIES", 1 if PRODUCTION else 0, least=0, most=9
)
# The policies of content and of referrers are in newsroom/security_headers.py.
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
# A link in a mail or a chat leads a logged-in editor into the admin; only its forms need more.
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
if PRODUCTION:
    # A browser takes such a name over TLS only, so that nobody on the way can plant one.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Secure-sessionid", "__Secure-csrftoken"
# A cookie for the admin only: readers' pages must not even be sent one.
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = "/admin/"
# By which the log-in page knows a browser; see staff.known_devices.
DEVICE_COOKIE_NAME = "__Secure-device" if PRODUCTION else "device"
LANGUAGE_COOKIE_AGE = 31_536_000
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = PRODUCTION
if PRODUCTION:
    SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = env.whole_number(
        "SECURE_HSTS_SECONDS", 31_536_000, least=0, most=63_072_000
    )
    SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("SECURE_HSTS_INCLUDE_SUBDOMAINS", True)
    SECURE_HSTS_PRELOAD = env.flag("SECURE_HSTS_PRELOAD", True)

# --- Logs ----------------------------------------------------------------------------

LOGGING_CONFIG = "newsroom.log_redaction.configure"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
        }
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # It says what it stumbles over, and a mail's words may stand in that.
        "flufl.bounce": {"level": "CRITICAL"},
    },
}

# For DEBUG's pages, and for mails to ADMINS should anybody turn them on.
DEFAULT_EXCEPTION_REPORTER = "newsroom.exception_reporter.MaskedReporter"

# --- The editor and the admin's look -------------------------------------------------

EDITOR = {
    "toolbar": sanitizer.toolbar(),
    "format_tags": "p;h2;h3",
    "height": 420,
    "width": "100%",
    "entities": False,
    "disableNativeSpellChecker": False,
    "versionCheck": False,
    # The text in the page itself: a frame would need an inline script.
    "extraPlugins": "divarea,newsroom",
    # A link is an address and no more; the upload's tab would hold a frame with a script.
    "linkDefaultProtocol": "https://",
    "removeDialogTabs": "link:target;link:upload;link:advanced",
    # Its words in languages that it does not ship.
    "customConfig": "/static/editor.js",
    # Some have known holes; pastefromgdocs throws, see static/editor.js; no button leads to the
    # others.
    "removePlugins": (
        "scayt,wsc,exportpdf,iframe,forms,smiley,save,newpage,preview,print,templates,"
        "sourcearea,elementspath,flash,image,specialchar,about,bidi,colorbutton,colordialog,"
        "copyformatting,dialogadvtab,div,editorplaceholder,find,font,horizontalrule,indentblock,"
        "justify,language,pagebreak,pastefromgdocs,showblocks,stylescombo,uploadimage"
    ),
    "allowedContent": (
        f"{' '.join(sorted(sanitizer.ALLOWED_TAGS - sanitizer.ALLOWED_ATTRIBUTES.keys()))}; "
        "a[!href]; "
        "img[!src,alt,width,height]; th[colspan,rowspan,scope]; td[colspan,rowspan]"
    ),
    "pasteFromWordRemoveFontStyles": True,
    "pasteFromWordRemoveStyles": True,
    "pasteFilter": None,
}
# One for each language, so that the browser checks the spelling of the field's own.
CKEDITOR_CONFIGS = {
    "default": EDITOR,
    **{
        f"body_{code}": {
            **EDITOR,
            "contentsLanguage": code,
            "typography": typography.for_editor(code),
            "longest": sanitizer.LONGEST,
        }
        for code, _name in LANGUAGES
    },
}
# CKEditor 4 is what the newsroom asked for although its upstream has ended: it stays behind
# one field and this one configuration, with the plugins that have known holes removed, and
# the sanitiser at save is the real wall. See docs/decisions.md.
SILENCED_SYSTEM_CHECKS = ["ckeditor.W001"]
UNFOLD = {
    "SITE_TITLE": _("Newsroom"),
    "SITE_HEADER": _("Newsroom"),
    "SITE_SYMBOL": "newspaper",
    "DASHBOARD_CALLBACK": "staff.views.first_page",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": True,
    "SHOW_LANGUAGES": True,
    "LANGUAGES": {
        "navigation": [{"code": code, "name_local": name} for code, name in LANGUAGES],
    },
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("icon.svg")}
    ],
    "STYLES": [lambda request: static("admin.css")],
    "SCRIPTS": [lambda request: static("admin.js")],
    # Unfold would write its colours into each page, inline; ours are in admin.css.
    "COLORS": lambda request: {},
    "ENVIRONMENT": "staff.context_processors.warning",
    "ACCOUNT": {
        "navigation": [
            {"title": _("Second factor"), "link": reverse_lazy("mfa_index")},
            {"title": _("Change password"), "link": reverse_lazy("account_change_password")},
        ]
    },
}
