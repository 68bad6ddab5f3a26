"""The desk: where the newsroom writes."""

from articles.admin.articles import ArticleAdmin
from articles.admin.digests import DigestAdmin
from articles.admin.masthead import AuthorAdmin, MastheadAdmin, TopicAdmin
from articles.admin.pictures import PictureAdmin
from articles.admin.standing import PageAdmin

__all__ = [
    "ArticleAdmin",
    "AuthorAdmin",
    "DigestAdmin",
    "MastheadAdmin",
    "PageAdmin",
    "PictureAdmin",
    "TopicAdmin",
]
