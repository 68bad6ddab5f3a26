"""All settings, read from the environment; `docs/administration.md` lists the variables.

With no variable set this is a developer's machine: SQLite, Celery's filesystem broker and the keys
of `make run`, all below `var/`. PRODUCTION=1 makes unsafe defaults errors.
"""

import datetime as dt
from typing import Any

import dj_database_url

from newsletter.bounces.mailbox_config import Mailbox
from newsletter.delivery.relays.config import parse_all as parse_relays
from newsroom import admin_settings, env
from newsroom.base_settings import *  # noqa: F403
from newsroom.base_settings import BASE_DIR, PORT, PRODUCTION, SITE_URL, VAR_DIR
from newsroom.security_settings import *  # noqa: F403

CSRF_FAILURE_VIEW = "newsroom.error_views.csrf_failure"
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS", [SITE_URL])

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
    "newsroom.security_headers.SecurityHeadersMiddleware",
    # Before whatever reads the Host header: a health check may not know the name.
    "newsroom.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "newsroom.middleware.AdminHostMiddleware",
    "newsroom.middleware.RequestSizeLimitMiddleware",
    "newsroom.middleware.LanguageFromPathMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "newsroom.middleware.RejectNullBytesMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "staff.middleware.RequireSecondFactorMiddleware",
    "articles.public.redirects.OldPathRedirectMiddleware",
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
                        "newsroom.template_loader.UnindentedLoader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "staff.context_processors.admin_context",
            ],
        },
    },
]
# --- Database ------------------------------------------------------------------------

DATABASE_URL = env.service_url(
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
    # IMMEDIATE takes the write lock at BEGIN and waits for it, instead of failing later.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        # secure_delete overwrites what is deleted, such as the address of whoever unsubscribed.
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
        ),
    }
    # A file, so that tests can share it with the processes that they start.
    DATABASES["default"]["TEST"] = {"NAME": VAR_DIR / "test.sqlite3"}
else:
    # Seconds until a visitor gets a 503.
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PAGE_CACHE_MB = env.integer("PAGE_CACHE_MB", 32, minimum=0, maximum=4096)
"""Of public pages, in each web process; 0 turns it off. See newsroom.page_cache."""

# --- Celery --------------------------------------------------------------------------

CELERY_BROKER_URL = env.service_url(
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
    # In the database: all processes count a client's attempts together.
    CACHES: dict[str, dict[str, Any]] = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache",
            # Django's default of 300 would let a stranger's attempts evict other counts.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    }
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        # Seconds until a killed worker's tasks are delivered again. A repeated task does nothing.
        "visibility_timeout": 300,
        # A sign-up must not wait for a Redis that does not answer.
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
# Separate queues, so that no flood of sign-ups delays a letter. A worker serves all by default.
LETTERS_QUEUE, SIGN_UPS_QUEUE, BACKGROUND_QUEUE = QUEUES = ("letters", "sign-ups", "background")
CELERY_TASK_QUEUES = {name: {"exchange": name, "routing_key": name} for name in QUEUES}
CELERY_TASK_ROUTES = {
    **dict.fromkeys(("articles.tick", "newsletter.tick"), LETTERS_QUEUE),
    **dict.fromkeys(("newsletter.sign_letters", "newsletter.work_lane"), LETTERS_QUEUE),
    **dict.fromkeys(("newsletter.take_sign_ups", "newsletter.send_single_mails"), SIGN_UPS_QUEUE),
}
# Imports, lookups, bounces, pictures.
CELERY_TASK_DEFAULT_QUEUE = BACKGROUND_QUEUE
# Publishing fails at once while the broker is down; the next tick enqueues what is due.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Without a file: the first tick comes at once, and the database knows what is due.
CELERY_BEAT_SCHEDULER = "newsroom.beat_scheduler:IntervalScheduler"
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
RELAYS = parse_relays(env.string("RELAY_URL", f"smtp://127.0.0.1:{PORT + 2}"))
"""In order of preference. Alerts to staff go through the first."""
RELAY_TIMEOUT = env.integer("RELAY_TIMEOUT", 30, minimum=1, maximum=600)
"""Seconds, to connect and for each reply."""
if RELAYS[0].is_backend:
    EMAIL_BACKEND = RELAYS[0].host
EMAIL_HOST, EMAIL_PORT = RELAYS[0].host, RELAYS[0].port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = RELAYS[0].user, RELAYS[0].password
EMAIL_USE_TLS = RELAYS[0].scheme == "smtp+starttls"
EMAIL_USE_SSL = RELAYS[0].scheme == "smtps"
EMAIL_TIMEOUT = RELAY_TIMEOUT
globals().update(env.mail_settings("MAIL_SETTINGS"))
# The domain of the return path (RFC 5321, 4.4).
BOUNCE_DOMAIN = env.domain_name("BOUNCE_DOMAIN", "localhost")
BOUNCE_MAILDIR = env.optional_directory("BOUNCE_MAILDIR", None)
BOUNCE_MAILBOX = (
    Mailbox.parse(env.string("BOUNCE_IMAP_URL")) if env.string("BOUNCE_IMAP_URL") else None
)
"""Polled by a worker; a pipe into `process_bounces` needs neither."""
DEPARTURES_FILE = env.file_path("DEPARTURES_FILE", VAR_DIR / "departures" / "journal")
"""Keyed hashes of whoever left, apart from the database and its backups. A worker writes it."""
DEPARTURES_DAYS = env.integer("DEPARTURES_DAYS", 90, minimum=7, maximum=3650)
"""The age of the oldest backup that is kept: the departures log reaches back as far."""
CONFIRMATIONS_PER_HOUR = env.integer("CONFIRMATIONS_PER_HOUR", 500, minimum=1, maximum=1_000_000)
"""Beyond that confirmations wait, so that nobody can flood other people's mailboxes."""
CONFIRMATIONS_PER_PROVIDER = env.integer(
    "CONFIRMATIONS_PER_PROVIDER", 200, minimum=1, maximum=1_000_000
)
"""Per hour; a domain that is not in PROVIDERS is a provider by itself."""
CONFIRMATIONS_PER_MAILBOX = env.integer("CONFIRMATIONS_PER_MAILBOX", 3, minimum=1, maximum=100)
"""Per day, whatever tags and dots the address has."""
MAX_PENDING_SIGN_UPS = env.integer("MAX_PENDING_SIGN_UPS", 2000, minimum=1, maximum=1_000_000)
"""With so many unconfirmed the form accepts no more, and says so."""
IMPORT_MAX_MB = env.integer("IMPORT_MAX_MB", 256, minimum=1, maximum=4096)
"""Of an upload in the admin; the command accepts any size."""
SUBSCRIBER_LOOKUPS_PER_DAY = env.integer("SUBSCRIBER_LOOKUPS_PER_DAY", 20, minimum=0, maximum=1000)
"""Per member of staff; the dry run of an import counts as one."""
SUBSCRIBER_LOOKUPS_PER_DAY_TOTAL = env.integer(
    "SUBSCRIBER_LOOKUPS_PER_DAY_TOTAL", 60, minimum=0, maximum=10_000
)
"""Of all staff: whoever controls the web process can ask in any name."""
LANES = env.integer("LANES", 2, minimum=1, maximum=64)
"""Lanes that work on one mailing at once."""
CONNECTIONS = env.integer("CONNECTIONS", 4, minimum=1, maximum=64)
"""SMTP connections of each lane."""
# Provider codes for limits and counts, so that none names a private domain. The rest is "other".
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
LETTERS_PER_MINUTE = env.integer("LETTERS_PER_MINUTE", 0, minimum=0, maximum=1_000_000)
"""Of all mailings together; 0 is no limit."""
PROVIDER_LIMITS = env.integers_by_name(
    "PROVIDER_LIMITS", {*PROVIDERS.values(), "other"}, maximum=1_000_000
)
"""Letters per minute, by provider code."""

# --- Languages -----------------------------------------------------------------------

LANGUAGES = [("en", "English"), ("be", "Беларуская"), ("ru", "Русский")]
LANGUAGE_CODE = "en"
# What is offered first where a text is missing in a language.
NEAREST_LANGUAGES = {"be": ["ru"], "ru": ["be"]}
# CLDR locales that differ from the language's default: the day before the month.
FORMAT_LOCALES = {"en": "en-GB"}
# The project's strings, then replacements for those of the packages: docs/languages.md.
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "packages"]
FORMAT_MODULE_PATH = ["newsroom.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.time_zone("TIME_ZONE", "UTC")
MODELTRANSLATION_LANGUAGES = tuple(code for code, _name in LANGUAGES)
MODELTRANSLATION_DEFAULT_LANGUAGE = LANGUAGE_CODE
# No text stands under another language's label without saying so.
MODELTRANSLATION_ENABLE_FALLBACKS = False
MODELTRANSLATION_CUSTOM_FIELDS = ("BodyField",)

# --- Files ---------------------------------------------------------------------------

STATIC_URL = "/static/"
# None serves them from STATICFILES_DIRS.
STATIC_ROOT = env.optional_directory(
    "STATIC_ROOT", BASE_DIR / "staticfiles" if PRODUCTION else None
)
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "/media/"
MEDIA_ROOT = env.directory("MEDIA_ROOT", VAR_DIR / "media")
WHITENOISE_USE_FINDERS = not PRODUCTION
# Its default allows every other site to use them (CORS).
WHITENOISE_ALLOW_ALL_ORIGINS = False
# Bytes, for views that allow so much: see RequestSizeLimitMiddleware and deploy/nginx.conf.
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
# Django's fallback storage would set a cookie for the whole site.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "newsroom.static_files.ModuleManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# No upload is written to the temporary folder in clear.
FILE_UPLOAD_HANDLERS = ["newsroom.upload_handlers.InMemoryUploadHandler"]

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
        # Its errors quote the mail.
        "flufl.bounce": {"level": "CRITICAL"},
    },
}

# For DEBUG's pages and for mails to ADMINS.
DEFAULT_EXCEPTION_REPORTER = "newsroom.exception_reporter.RedactedExceptionReporter"

# --- The admin -----------------------------------------------------------------------

CKEDITOR_CONFIGS = admin_settings.ckeditor_configs(LANGUAGES)
# The upstream of CKEditor 4 has ended: docs/decisions.md says what stands in for its fixes.
SILENCED_SYSTEM_CHECKS = ["ckeditor.W001"]
UNFOLD = admin_settings.unfold(LANGUAGES)
