"""The list and the ledger. DESIGN's words: Edition, Subscriber, Mailing, Variant, Delivery."""

from newsletter.models.deliveries import Delivery, DeliveryKind, DeliveryStatus, Lane, Reason
from newsletter.models.editions import Edition
from newsletter.models.mailings import (
    Mailing,
    MailingContent,
    MailingStatus,
    MailingStuck,
    Variant,
)
from newsletter.models.subscribers import (
    SignUp,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from newsletter.models.variants import VariantKind

__all__ = [
    "Delivery",
    "DeliveryKind",
    "DeliveryStatus",
    "Edition",
    "Lane",
    "Mailing",
    "MailingContent",
    "MailingStatus",
    "MailingStuck",
    "Reason",
    "SignUp",
    "Subscriber",
    "SubscriberStatus",
    "Suppression",
    "Variant",
    "VariantKind",
]
