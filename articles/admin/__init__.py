"""The admin of articles."""

from articles.admin.articles import ArticleAdmin
from articles.admin.digests import DigestAdmin
from articles.admin.pictures import PictureAdmin
from articles.admin.site_settings import AuthorAdmin, SiteSettingsAdmin, TopicAdmin
from articles.admin.static_pages import PageAdmin

__all__ = [
    "ArticleAdmin",
    "AuthorAdmin",
    "DigestAdmin",
    "PageAdmin",
    "PictureAdmin",
    "SiteSettingsAdmin",
    "TopicAdmin",
]
