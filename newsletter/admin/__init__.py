"""The newsletter in the admin: editions, and the mailings of a digest."""

from newsletter.admin.editions import EditionAdmin
from newsletter.admin.mailings import MailingAdmin

__all__ = ["EditionAdmin", "MailingAdmin"]
