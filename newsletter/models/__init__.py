"""The list and the ledger. DESIGN's words: Edition, Subscriber, Mailing, Variant, Delivery."""

from newsletter.models.bounces import BounceKind, SetAsideMail, SetAsideReason
from newsletter.models.deliveries import Delivery, DeliveryKind, DeliveryStatus, Lane, Reason
from newsletter.models.departures import Departure, DepartureKind, JournalMark
from newsletter.models.editions import Edition
from newsletter.models.hashes import HashGeneration
from newsletter.models.imports import (
    Import,
    ImportChunk,
    ImportProblem,
    ImportStatus,
    Problem,
    StagedReader,
)
from newsletter.models.mailboxes import MailboxWarning
from newsletter.models.mailings import Mailing, MailingContent, MailingStatus, Variant
from newsletter.models.outbox import MailKind, OutboxMail
from newsletter.models.quotas import Spending, WorkerQuota
from newsletter.models.relays import RelayState, Throttle
from newsletter.models.subscriber_lookups import Answer, Inquiry, Wish
from newsletter.models.subscribers import (
    Manner,
    SignUp,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from newsletter.models.variants import VariantKind

__all__ = [
    "Answer",
    "BounceKind",
    "Delivery",
    "DeliveryKind",
    "DeliveryStatus",
    "Departure",
    "DepartureKind",
    "Edition",
    "HashGeneration",
    "Import",
    "ImportChunk",
    "ImportProblem",
    "ImportStatus",
    "Inquiry",
    "JournalMark",
    "Lane",
    "MailKind",
    "MailboxWarning",
    "Mailing",
    "MailingContent",
    "MailingStatus",
    "Manner",
    "OutboxMail",
    "Problem",
    "Reason",
    "RelayState",
    "SetAsideMail",
    "SetAsideReason",
    "SignUp",
    "Spending",
    "StagedReader",
    "Subscriber",
    "SubscriberStatus",
    "Suppression",
    "Throttle",
    "Variant",
    "VariantKind",
    "Wish",
    "WorkerQuota",
]
