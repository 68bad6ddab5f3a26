"""Which texts exist in every language (django-modeltranslation's columns)."""

from modeltranslation.translator import TranslationOptions, register

from articles.models import Article, Author, Digest, Masthead, Page, Picture, Topic


@register(Masthead)
class MastheadTranslation(TranslationOptions):
    """The newsroom's name and tagline."""

    fields = ("name", "tagline", "digest_title")


@register(Topic)
class TopicTranslation(TranslationOptions):
    """A topic's name."""

    fields = ("name",)


@register(Author)
class AuthorTranslation(TranslationOptions):
    """A byline, as each language writes it."""

    fields = ("name",)


@register(Article)
class ArticleTranslation(TranslationOptions):
    """No language is compulsory; the first one written may be any."""

    fields = ("title", "lead", "body")


@register(Picture)
class PictureTranslation(TranslationOptions):
    """What it shows, and what is said below it."""

    fields = ("alt", "caption")


@register(Digest)
class DigestTranslation(TranslationOptions):
    """The editor's introduction."""

    fields = ("introduction",)


@register(Page)
class PageTranslation(TranslationOptions):
    """A page's text, and since when it says so."""

    fields = ("title", "body", "changed_at")
