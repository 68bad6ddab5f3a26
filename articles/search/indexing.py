"""Keeping what a search looks at in step with what readers can read."""

from __future__ import annotations

from django.db import connection, transaction

from articles.models import Article, ArticleLanguage, ArticleText, SearchEntry
from articles.search.stemming import stems
from articles.text import sanitizer


def stems_of(text: ArticleText) -> tuple[str, str]:
    """Those of the title, and those of the whole text, the title's included."""
    title = list(stems(text.title, text.language))
    blocks = [text.lead, *(block.text for block in sanitizer.blocks(text.body))]
    body = [stem for block in blocks for stem in stems(block, text.language)]
    # How often and in which order does not matter.
    return " ".join(dict.fromkeys(title)), " ".join(dict.fromkeys(title + body))


@transaction.atomic
def index(article_id: int) -> int:
    """An article's public texts can be found as they now are, and nothing else of it.

    Whoever changes a text or a state calls it in the same transaction. The article is locked, so
    that of two who change it at once the later one sees what the earlier did. Returns how many
    of its texts can be found.
    """
    article = Article.objects.locked().order_by().filter(pk=article_id).first()
    if article is None:
        return 0
    entries = SearchEntry.objects.filter(article=article)
    rows = article.article_languages.public() if article.withdrawn_at is None else []
    entries.exclude(row__in=[row.pk for row in rows]).delete()
    for row in rows:
        _put(article, row)
    return len(rows)


def _put(article: Article, row: ArticleLanguage) -> None:
    title_stems, every = stems_of(article.text_in(row.language))
    SearchEntry.objects.update_or_create(
        row=row,
        defaults={
            "article": article,
            "language": row.language,
            "topic_id": article.topic_id,
            "week": article.week,
            "title_stems": title_stems,
            "stems": every,
        },
    )


def rebuild() -> tuple[int, int]:
    """Everything anew, article by article. Returns how many articles and texts can be found."""
    SearchEntry.objects.outdated().delete()
    public = Article.objects.public().order_by("pk").values_list("pk", flat=True)
    counts = [index(pk) for pk in list(public)]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO articles_search(articles_search) VALUES ('rebuild')")
    return len(counts), sum(counts)
