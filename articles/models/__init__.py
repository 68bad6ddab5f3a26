"""What the newsroom writes. DESIGN's words: Topic, Author, Article, ArticleLanguage, Digest."""

from articles.models.articles import Article, Verdict
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
from articles.models.site_settings import Author, Masthead, Topic
from articles.models.site_version import SiteVersion
from articles.models.static_pages import Page
from articles.models.texts import ArticleText
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
    "Masthead",
    "Page",
    "Picture",
    "PreviewLink",
    "Revision",
    "SearchEntry",
    "SiteVersion",
    "Status",
    "Topic",
    "Verdict",
    "VerdictChange",
]
