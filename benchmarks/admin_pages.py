"""Response times and query counts of the admin with thousands of articles.

    python benchmarks/admin_pages.py ../shared/corpus/news.jsonl [--articles 5000]
        [--database sqlite|postgres] [--rounds 11] [--json]

Makes the articles out of the corpus (repeated as often as needed) in three languages: published,
in review, drafts, translations that are stale, a second revision of some; then asks for each page
as a logged-in editor, in one process and through the whole of Django, and prints the median time
in milliseconds and the number of queries. PostgreSQL is one of the benchmark's own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

TOPICS = ("elite", "society", "security", "west", "russia")
CODES = ("en", "be", "ru")
TARGET_MS, TARGET_QUERIES = 100, 25


def main() -> None:
    """The entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--articles", type=int, default=5000)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with database(arguments.database):
        pages = set_up(arguments.corpus, arguments.articles)
        figures = {name: measure(path, arguments.rounds) for name, path in pages.items()}
    if arguments.json:
        print(json.dumps({"articles": arguments.articles, "pages": figures}))
        return
    print(f"{arguments.articles} articles on {arguments.database}")
    print(f"{'':26}{'ms':>8}{'queries':>10}")
    for name, (milliseconds, queries) in figures.items():
        missed = milliseconds > TARGET_MS or queries > TARGET_QUERIES
        print(f"{name:26}{milliseconds:8.0f}{queries:10}{'  MISSED' if missed else ''}")


@contextlib.contextmanager
def database(kind: str) -> Iterator[None]:
    """Sets Django up on a database of its own."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="admin-pages-"))
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "newsroom.settings",
            "VAR_DIR": folder,
            "REQUIRE_SECOND_FACTOR": "0",
        }
        if kind == "postgres":
            from tests.services import running_postgresql  # noqa: PLC0415

            os.environ["DATABASE_URL"] = stack.enter_context(running_postgresql()).create(
                "admin_pages"
            )
        import django  # noqa: PLC0415

        django.setup()
        yield
        from django.db import connection  # noqa: PLC0415

        connection.close()


def set_up(corpus: Path, wanted: int) -> dict[str, str]:
    """Creates the articles; returns the paths to measure."""
    # After django.setup(), which the database's kind has to come before.
    from django.contrib.auth import get_user_model  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from django.urls import reverse  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from articles.editorial.digest_builder import build_digest  # noqa: PLC0415
    from articles.models import Article, Topic  # noqa: PLC0415
    from core.weeks import Week  # noqa: PLC0415
    from newsletter.models import Edition  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    user = get_user_model().objects.create_superuser("editor")
    topics = [
        Topic.objects.create(code=code, position=place, name_en=code)
        for place, code in enumerate(TOPICS)
    ]
    Edition.objects.create(
        code="en",
        name="EN",
        languages=["en"],
        sender_name="News",
        sender_address="news@example.org",
        list_id="news.example.org",
    )
    news = [json.loads(line) for line in corpus.read_text("utf-8-sig").splitlines() if line]
    last = Week.last_full(timezone.now().date())
    fill(news, wanted, topics, last, user)
    digest = build_digest(last)
    article = Article.objects.filter(week=last).first()
    assert article is not None
    listed = reverse("admin:articles_article_changelist")
    return {
        "dashboard": reverse("admin:index"),
        "list": listed,
        "list, stale in Belarusian": f"{listed}?language=be:stale",
        "list, searched": f"{listed}?q={news[0]['be'][0].split()[0]}",
        "form": reverse("admin:articles_article_change", args=[article.pk]),
        "translation": reverse("admin:articles_article_translate", args=[article.pk, "be"]),
        "revisions": reverse("admin:articles_article_revisions", args=[article.pk, "ru"]),
        "digest with its matrix": reverse("admin:articles_digest_change", args=[digest.pk]),
    }


def fill(news: list[dict], wanted: int, topics: list, last: object, user: object) -> None:
    """Bulk-creates rows as saving them one by one would leave them."""
    from django.db.models import QuerySet  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from articles.models import Article, ArticleLanguage, Revision, Status  # noqa: PLC0415

    now = timezone.now()
    articles, rows, revisions = [], [], []
    for number in range(wanted):
        source, week = news[number % len(news)], last.previous(number // len(topics))
        article = Article(
            pk=number + 1,
            topic=topics[number % len(topics)],
            week=week,
            owner=user,
            created_at=now,
        )
        for code in CODES:
            title, lead, *rest = source[code]
            article.set_text(text_of(code, f"{title} {number}", lead, rest))
        articles.append(article)
        for code in CODES:
            text = article.text_in(code)
            rows.append(
                ArticleLanguage(
                    article=article,
                    language=code,
                    status=Status.REVIEW if number % 50 == 7 else Status.PUBLISHED,
                    published_at=None if number % 50 == 7 else now,
                    changed_at=None if number % 50 == 7 else now,
                    revision=1,
                    fingerprint=text.fingerprint,
                    source_language="" if code == "ru" else "ru",
                    source_fingerprint=""
                    if code == "ru"
                    else "1:old"
                    if number % 40 == 0
                    else article.text_in("ru").fingerprint,
                    translator=None if code == "ru" else user,
                )
            )
            revisions.append(
                Revision(
                    article=article,
                    language=code,
                    number=1,
                    title=text.title,
                    lead=text.lead,
                    body=text.body,
                    fingerprint=text.fingerprint,
                    saved_at=now,
                    saved_by=user,
                )
            )
    for model, made in ((Article, articles), (ArticleLanguage, rows), (Revision, revisions)):
        # Not the managers, which increase the site version for each row.
        QuerySet(model).bulk_create(made, batch_size=200)


def text_of(code: str, title: str, lead: str, sentences: list[str]) -> object:
    """With paragraphs as the import makes them."""
    from articles.models import ArticleText  # noqa: PLC0415

    by_four = (" ".join(sentences[start : start + 4]) for start in range(0, len(sentences), 4))
    body = "".join(f"<p>{escape(paragraph, quote=False)}</p>" for paragraph in by_four)
    return ArticleText(code, title[:200], lead, body)


def measure(path: str, rounds: int) -> tuple[float, int]:
    """Median milliseconds of a page, and its queries."""
    from django.contrib.auth import get_user_model  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    client = Client()
    client.force_login(get_user_model().objects.get())
    assert client.get(path).status_code == 200, path
    with CaptureQueriesContext(connection) as asked:
        client.get(path)
        queries = len(asked)
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        client.get(path)
        times.append(1000 * (time.perf_counter() - begun))
    return round(statistics.median(times), 1), queries


if __name__ == "__main__":
    main()
