"""The two variants of a letter."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class VariantKind(models.TextChoices):
    """Full, or text only under a neutral subject and sender."""

    FULL = "full", _("Full")
    DISCREET = "discreet", _("Discreet")
