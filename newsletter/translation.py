"""Fields with one column per language (django-modeltranslation)."""

from modeltranslation.translator import TranslationOptions, register

from newsletter.models import MailboxWarning


@register(MailboxWarning)
class MailboxWarningTranslation(TranslationOptions):
    """The text that is shown on the sign-up form."""

    fields = ("text",)
