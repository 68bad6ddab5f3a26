"""Keeps the search index in step with the public texts."""

from __future__ import annotations

from django.db import connection, transaction

from articles.models import Article, ArticleLanguage, ArticleText, SearchEntry
from articles.search.stemming import stems
from articles.text import sanitizer


def text_stems(text: ArticleText) -> tuple[str, str]:
    """The title's stems, and those of the whole text with the title."""
    title = list(stems(text.title, text.language))
    blocks = [text.lead, *(block.text for block in sanitizer.blocks(text.body))]
    body = [stem for block in blocks for stem in stems(block, text.language)]
    # Without duplicates: neither frequency nor order matters.
    return " ".join(dict.fromkeys(title)), " ".join(dict.fromkeys(title + body))


@transaction.atomic
def index_article(article_id: int) -> int:
    """Indexes an article's public texts and removes its others. Returns how many were indexed.

    Call it in the transaction that changes a text or a status. It locks the article, so that of
    two concurrent changes the later one sees the earlier.
    """
    article = Article.objects.locked().order_by().filter(pk=article_id).first()
    if article is None:
        return 0
    entries = SearchEntry.objects.filter(article=article)
    rows = article.article_languages.public() if article.withdrawn_at is None else []
    entries.exclude(row__in=[row.pk for row in rows]).delete()
    for row in rows:
        _index_text(article, row)
    return len(rows)


def _index_text(article: Article, row: ArticleLanguage) -> None:
    title_stems, every = text_stems(article.text_in(row.language))
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


def rebuild_index() -> tuple[int, int]:
    """Indexes every public article. Returns how many articles and texts."""
    SearchEntry.objects.outdated().delete()
    public = Article.objects.public().order_by("pk").values_list("pk", flat=True)
    counts = [index_article(pk) for pk in list(public)]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO articles_search(articles_search) VALUES ('rebuild')")
    return len(counts), sum(counts)
