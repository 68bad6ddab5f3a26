"""Fields translated by django-modeltranslation: one column for each language."""

from modeltranslation.translator import TranslationOptions, register

from articles.models import Article, Author, Digest, Page, Picture, SiteSettings, Topic


@register(SiteSettings)
class SiteSettingsTranslation(TranslationOptions):
    """Name, tagline, digest title."""

    fields = ("name", "tagline", "digest_title")


@register(Topic)
class TopicTranslation(TranslationOptions):
    """Name."""

    fields = ("name",)


@register(Author)
class AuthorTranslation(TranslationOptions):
    """Byline."""

    fields = ("name",)


@register(Article)
class ArticleTranslation(TranslationOptions):
    """No language is required; the original may be any."""

    fields = ("title", "lead", "body")


@register(Picture)
class PictureTranslation(TranslationOptions):
    """Alternative text and caption."""

    fields = ("alt", "caption")


@register(Digest)
class DigestTranslation(TranslationOptions):
    """Introduction."""

    fields = ("introduction",)


@register(Page)
class PageTranslation(TranslationOptions):
    """Text, and when it last changed."""

    fields = ("title", "body", "changed_at")
