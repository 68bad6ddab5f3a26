"""How long the site's search takes among thousands of articles, and its recall and precision.

    python benchmarks/search.py ../shared/corpus/news.jsonl [--articles 5000]
        [--database sqlite|postgres] [--rounds 21] [--json]

Makes the articles as benchmarks/admin_pages.py does, on both databases unless one is named, and
searches for: a word that one article has, one that stands in few of the corpus's texts, the one
that stands in most of them, and that one with another common one. Prints medians in milliseconds:
of the search (the count, the first page and its excerpts), and of the whole page through Django,
from the form that is sent to the results that it leads to; and how long making the index took.
PostgreSQL is one of the benchmark's own.

Then the recall of the stems: of all pairs of words in the corpus that a dictionary knows as forms
of one word, how many have one stem; and their precision: of all pairs with one stem, how many are
forms of one word. Half of the words were held out while rules were tried. See paradigms.py, which
wants the dictionaries of a spelling checker.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import admin_pages  # noqa: E402
import paradigms  # noqa: E402

from articles.search import stemming  # noqa: E402

TARGET_MS = 20
DATABASES = ("sqlite", "postgres")
MARK = re.compile(rb"<mark\s*>")
"""A found word; the template breaks the line within its tag."""


def main() -> None:
    """The entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--articles", type=int, default=5000)
    parser.add_argument("--database", choices=DATABASES)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    news = [json.loads(line) for line in arguments.corpus.read_text("utf-8-sig").splitlines()]
    if arguments.database and arguments.json:
        # The subprocess of one database.
        print(json.dumps(measure_database(arguments, news)))
        return
    figures = {
        name: run_in_subprocess(name) for name in DATABASES if arguments.database in (None, name)
    }
    words = recall(news)
    if arguments.json:
        print(json.dumps({"articles": arguments.articles, "search": figures, "recall": words}))
        return
    for name, measured in figures.items():
        print_times(name, arguments.articles, measured)
    print_recall(words)


def run_in_subprocess(database: str) -> dict:
    """Django has one default database per process."""
    command = [sys.executable, __file__, *sys.argv[1:], "--json", "--database", database]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


# --- How long it takes ---------------------------------------------------------------


def measure_database(arguments: argparse.Namespace, news: list[dict]) -> dict:
    """Seconds of indexing, and the figures of each query in each language."""
    with admin_pages.database(arguments.database):
        admin_pages.set_up(arguments.corpus, arguments.articles)
        # After django.setup(), which the database's kind has to come before.
        from django.db import connection  # noqa: PLC0415

        from articles.search.indexing import rebuild_index  # noqa: PLC0415

        begun = time.perf_counter()
        _articles, texts = rebuild_index()
        seconds = time.perf_counter() - begun
        with connection.cursor() as cursor:
            # As autovacuum does within minutes.
            cursor.execute("ANALYZE")
        queries = {
            f"{code}, {kind}": measure(code, words, arguments.rounds)
            for code in admin_pages.CODES
            for kind, words in sample_queries(news, code, arguments.articles).items()
        }
    return {"texts": texts, "seconds": round(seconds, 1), "queries": queries}


def sample_queries(news: list[dict], code: str, articles: int) -> dict[str, str]:
    """Words by frequency."""
    counts: Counter[str] = Counter()
    for data in news:
        counts.update({word.lower() for word in stemming.WORD.findall(" ".join(data[code]))})
    long = [(word, number) for word, number in counts.most_common() if len(word) > 5]
    common, second = long[0][0], long[1][0]
    rare = sorted(word for word, number in long if number == 1 and word.isalpha())
    # Each title of admin_pages.py ends with the article's number.
    return {
        "one": str(articles - 1),
        "rare": rare[len(rare) // 2],
        "common": common,
        "two": f"{common} {second}",
    }


def measure(code: str, words: str, rounds: int) -> dict:
    """Medians of a search and of its page."""
    from django.test import Client  # noqa: PLC0415

    from articles.search.query import SearchQuery, search  # noqa: PLC0415

    client, query = Client(), SearchQuery(words, code)
    found = search(query, 1)
    assert found.hits, words
    page = client.post(f"/{code}/search/", {"q": words}, follow=True)
    assert len(MARK.findall(page.content)) >= len(found.hits), words
    return {
        "words": words,
        "found": found.page.paginator.count,
        "search_ms": median_ms(lambda: search(query, 1).page.paginator.count, rounds),
        "page_ms": median_ms(
            lambda: client.post(f"/{code}/search/", {"q": words}, follow=True), rounds
        ),
    }


def median_ms(action: Callable[[], object], rounds: int) -> float:
    """Milliseconds."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        action()
        times.append(1000 * (time.perf_counter() - begun))
    return round(statistics.median(times), 1)


def print_times(name: str, articles: int, measured: dict) -> None:
    """A table of one database."""
    made = f"index of {measured['texts']} texts in {measured['seconds']} s"
    print(f"{articles} articles on {name}, {made}")
    print(f"{'':14}{'words':34}{'found':>7}{'search ms':>11}{'page ms':>9}")
    for query, figures in measured["queries"].items():
        row = f"{query:14}{figures['words']:34}{figures['found']:7}{figures['search_ms']:11}"
        missed = "  MISSED" if figures["search_ms"] > TARGET_MS else ""
        print(f"{row}{figures['page_ms']:9}{missed}")
    print()


# --- Recall and precision ----------------------------------------------------------------


def recall(news: list[dict]) -> dict:
    """The figures of each language whose dictionary is installed."""
    return {
        code: {
            half: figures_of(
                paradigms.score(code, words, lambda word, c=code: stem(word, c), number)
            )
            for half, number in (("tried", 0), ("held out", 1))
        }
        for code in admin_pages.CODES
        if (words := words_of(news, code)) and (paradigms.FOLDER / "be_BY.dic").exists()
    }


def stem(word: str, code: str) -> str:
    """As an article and a query are cut and stemmed; a word of several parts is all of them."""
    return " ".join(stemming.stems(word, code))


def words_of(news: list[dict], code: str) -> set[str]:
    """The different words of a language, written as dictionaries write them."""
    found = {word for data in news for word in stemming.WORD.findall(" ".join(data[code]))}
    return {word.lower().replace("’", "'") for word in found if not word.isdigit()}


def figures_of(score: paradigms.Score) -> dict:
    """Rounded."""
    return {
        "pairs": score.pairs,
        "recall": round(score.recall, 3),
        "precision": round(score.precision, 3),
    }


def print_recall(words: dict) -> None:
    """One table for all languages."""
    if not words:
        print(f"Recall not measured: install Debian's packages {paradigms.PACKAGES}")
        return
    print(f"{'':14}{'pairs':>8}{'recall':>9}{'precision':>11}")
    for code, halves in words.items():
        for half, figures in halves.items():
            row = f"{code}, {half}"
            print(f"{row:14}{figures['pairs']:8}{figures['recall']:9}{figures['precision']:11}")


if __name__ == "__main__":
    main()
