"""Models of articles, digests, pictures, static pages and site settings."""

from articles.models.articles import Article, Verdict
from articles.models.authors import Author
from articles.models.digests import Digest, DigestEntry, DigestGap
from articles.models.languages import (
    ArticleLanguage,
    CannotPublish,
    Correction,
    Status,
)
from articles.models.pictures import Picture
from articles.models.revisions import Draft, PreviewLink, Revision
from articles.models.search import SearchEntry
from articles.models.site_settings import SiteSettings
from articles.models.site_version import SiteVersion
from articles.models.static_pages import Page
from articles.models.texts import ArticleText
from articles.models.topics import Topic
from articles.models.verdicts import VerdictChange

__all__ = [
    "Article",
    "ArticleLanguage",
    "ArticleText",
    "Author",
    "CannotPublish",
    "Correction",
    "Digest",
    "DigestEntry",
    "DigestGap",
    "Draft",
    "Page",
    "Picture",
    "PreviewLink",
    "Revision",
    "SearchEntry",
    "SiteSettings",
    "SiteVersion",
    "Status",
    "Topic",
    "Verdict",
    "VerdictChange",
]
