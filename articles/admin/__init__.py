"""The desk: where the newsroom writes."""

from articles.admin.articles import ArticleAdmin
from articles.admin.digests import DigestAdmin
from articles.admin.masthead import AuthorAdmin, MastheadAdmin, TopicAdmin
from articles.admin.pictures import PictureAdmin

__all__ = [
    "ArticleAdmin",
    "AuthorAdmin",
    "DigestAdmin",
    "MastheadAdmin",
    "PictureAdmin",
    "TopicAdmin",
]
