"""The newsletter in the admin: editions, digests with their letters, mailings."""

from newsletter.admin.digests import DigestAdmin
from newsletter.admin.editions import EditionAdmin
from newsletter.admin.mailings import MailingAdmin

__all__ = ["DigestAdmin", "EditionAdmin", "MailingAdmin"]
