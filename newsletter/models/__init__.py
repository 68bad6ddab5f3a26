"""The models of the newsletter: editions, the list, mailings and the ledger."""

from newsletter.models.bounces import BounceKind, QuarantinedMail, QuarantineReason
from newsletter.models.deliveries import (
    Delivery,
    DeliveryKind,
    DeliveryReason,
    DeliveryStatus,
    Lane,
)
from newsletter.models.departures import Departure, DepartureKind, DeparturesLogPosition
from newsletter.models.editions import Edition
from newsletter.models.hashes import HashGeneration
from newsletter.models.imports import (
    Import,
    ImportChunk,
    ImportProblem,
    ImportStatus,
    LineProblem,
    StagedSubscriber,
)
from newsletter.models.mailboxes import MailboxWarning
from newsletter.models.mailings import Mailing, MailingContent, MailingStatus, Variant
from newsletter.models.outbox import MailKind, OutboxMail
from newsletter.models.quotas import Quota, WorkerQuota
from newsletter.models.relays import RateLimiter, RelayState
from newsletter.models.subscriber_lookups import LookupAction, LookupAnswer, SubscriberLookup
from newsletter.models.subscribers import (
    Manner,
    SignUp,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from newsletter.models.variants import VariantKind

__all__ = [
    "BounceKind",
    "Delivery",
    "DeliveryKind",
    "DeliveryReason",
    "DeliveryStatus",
    "Departure",
    "DepartureKind",
    "DeparturesLogPosition",
    "Edition",
    "HashGeneration",
    "Import",
    "ImportChunk",
    "ImportProblem",
    "ImportStatus",
    "Lane",
    "LineProblem",
    "LookupAction",
    "LookupAnswer",
    "MailKind",
    "MailboxWarning",
    "Mailing",
    "MailingContent",
    "MailingStatus",
    "Manner",
    "OutboxMail",
    "QuarantineReason",
    "QuarantinedMail",
    "Quota",
    "RateLimiter",
    "RelayState",
    "SignUp",
    "StagedSubscriber",
    "Subscriber",
    "SubscriberLookup",
    "SubscriberStatus",
    "Suppression",
    "Variant",
    "VariantKind",
    "WorkerQuota",
]
