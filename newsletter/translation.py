"""Which texts exist in every language (django-modeltranslation's columns)."""

from modeltranslation.translator import TranslationOptions, register

from newsletter.models import MailboxWarning


@register(MailboxWarning)
class MailboxWarningTranslation(TranslationOptions):
    """What readers are told."""

    fields = ("text",)
