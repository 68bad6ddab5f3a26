"""The newsletter in the admin: editions, digests with their letters, mailings."""

from newsletter.admin.bounces import QuarantinedMailAdmin
from newsletter.admin.digests import DigestAdmin
from newsletter.admin.editions import EditionAdmin
from newsletter.admin.imports import ImportAdmin
from newsletter.admin.mailboxes import MailboxWarningAdmin
from newsletter.admin.mailings import MailingAdmin
from newsletter.admin.subscribers import SubscriberAdmin

__all__ = [
    "DigestAdmin",
    "EditionAdmin",
    "ImportAdmin",
    "MailboxWarningAdmin",
    "MailingAdmin",
    "QuarantinedMailAdmin",
    "SubscriberAdmin",
]
