"""What a browser sends to the desk, and what its user reads."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from articles.editorial.conflicts import newest_revisions
from articles.models import Article
from core import languages
from staff.second_factor import needs_second_factor
from tests.factories import enrol

PUBLISHING = "articles.publish_article"
LIST, ADD = "/admin/articles/article/", "/admin/articles/article/add/"


def analyst_client(*, may: tuple[str, ...] = ("add_article", "change_article")) -> Client:
    """A member of staff with these permissions only."""
    user = User.objects.create_user("analyst", password="pass", is_staff=True)
    names = (*may, "view_article", "view_author", "view_topic")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    if needs_second_factor(user):
        enrol(user)
    client = Client()
    client.force_login(user)
    return client


def form_data(**texts: Any) -> dict[str, Any]:
    """What the article's form posts: every text empty, unless said otherwise."""
    empty = {
        f"{field}_{code}": "" for code in languages.codes() for field in ("title", "lead", "body")
    }
    return {**empty, "topic": "", "week": "", "verdict": "", "cover": "", "old_path": "", **texts}


def form_data_of(article: Article, **changes: Any) -> dict[str, Any]:
    """The form as the page of that article shows it, with these changes."""
    texts: dict[str, Any] = {}
    for code in languages.codes():
        text = article.text_in(code)
        texts |= {
            f"title_{code}": text.title,
            f"lead_{code}": text.lead,
            f"body_{code}": text.body,
        }
    texts |= {
        f"base_{code}": revision.number for code, revision in newest_revisions(article).items()
    }
    shared = {
        "topic": article.topic_id or "",
        "week": str(article.week or ""),
        "verdict": article.verdict,
        "cover": article.cover_id or "",
        "old_path": article.old_path,
        "authors": list(article.authors.values_list("pk", flat=True)),
    }
    return form_data(**{**texts, **shared, **changes})


def change_url(row: Any) -> str:
    return reverse(f"admin:articles_{row._meta.model_name}_change", args=[row.pk])


def visible_text(response: Any) -> str:
    """The page's text with its markup taken out."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))
