"""How long readers' search takes among thousands of articles, and which forms of a word it finds.

    python benchmarks/search.py ../shared/corpus/news.jsonl [--articles 5000]
        [--database sqlite|postgres] [--rounds 21] [--json]

Makes the articles out of the corpus as benchmarks/desk.py does, on both databases unless one is
named, and searches for: a word that one article has, one that stands in few of the corpus's texts,
the one that stands in most of them, and that one with another common one. Prints medians in
milliseconds: of the search (the count, the first page and its excerpts), and of the whole page
through Django, from the form that is sent to the results that it leads to; and how long making the
index took. PostgreSQL is one of the benchmark's own.

Then the recall of the stems: of all pairs of words in the corpus that a dictionary knows as forms
of one word, how many have one stem; and their precision: of all pairs with one stem, how many are
forms of one word. Half of the words were held out while rules were tried. See paradigms.py, which
wants the dictionaries of a spelling checker.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import desk  # noqa: E402
import paradigms  # noqa: E402

from articles.search import stemming  # noqa: E402

AIM_MS = 20
DATABASES = ("sqlite", "postgres")


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
        # One database in this process; the text of a whole run is put together by another.
        print(json.dumps(on_one_database(arguments, news)))
        return
    figures = {name: in_a_process(name) for name in DATABASES if arguments.database in (None, name)}
    words = recall(news)
    if arguments.json:
        print(json.dumps({"articles": arguments.articles, "search": figures, "recall": words}))
        return
    for name, measured in figures.items():
        print_times(name, arguments.articles, measured)
    print_recall(words)


def in_a_process(database: str) -> dict:
    """Django knows one database in a process."""
    command = [sys.executable, __file__, *sys.argv[1:], "--json", "--database", database]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


# --- How long it takes ---------------------------------------------------------------


def on_one_database(arguments: argparse.Namespace, news: list[dict]) -> dict:
    """Seconds for the index, and the figures of each query of each language."""
    with desk.database(arguments.database):
        desk.set_up(arguments.corpus, arguments.articles)
        # After django.setup(), which the database's kind has to come before.
        from django.db import connection  # noqa: PLC0415

        from articles.search.indexing import rebuild  # noqa: PLC0415

        begun = time.perf_counter()
        _articles, texts = rebuild()
        seconds = time.perf_counter() - begun
        with connection.cursor() as cursor:
            # What PostgreSQL does by itself within minutes.
            cursor.execute("ANALYZE")
        queries = {
            f"{code}, {kind}": measure(code, words, arguments.rounds)
            for code in desk.CODES
            for kind, words in queries_of(news, code, arguments.articles).items()
        }
    return {"texts": texts, "seconds": round(seconds, 1), "queries": queries}


def queries_of(news: list[dict], code: str, articles: int) -> dict[str, str]:
    """What to search for, by how often it is found."""
    counts: Counter[str] = Counter()
    for data in news:
        counts.update({word.lower() for word in stemming.WORD.findall(" ".join(data[code]))})
    long = [(word, number) for word, number in counts.most_common() if len(word) > 5]
    common, second = long[0][0], long[1][0]
    rare = sorted(word for word, number in long if number == 1 and word.isalpha())
    # Each title of desk.py ends with the article's number.
    return {
        "one": str(articles - 1),
        "rare": rare[len(rare) // 2],
        "common": common,
        "two": f"{common} {second}",
    }


def measure(code: str, words: str, rounds: int) -> dict:
    """Medians of a search and of its page."""
    from django.test import Client  # noqa: PLC0415

    from articles.search.query import Query, search  # noqa: PLC0415

    client, query = Client(), Query(words, code)
    found = search(query, 1)
    assert found.hits, words
    page = client.post(f"/{code}/search/", {"q": words}, follow=True)
    assert page.content.count(b"<mark>") >= len(found.hits), words
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
    """One database's table."""
    made = f"index of {measured['texts']} texts in {measured['seconds']} s"
    print(f"{articles} articles on {name}, {made}")
    print(f"{'':14}{'words':34}{'found':>7}{'search ms':>11}{'page ms':>9}")
    for query, figures in measured["queries"].items():
        row = f"{query:14}{figures['words']:34}{figures['found']:7}{figures['search_ms']:11}"
        missed = "  MISSED" if figures["search_ms"] > AIM_MS else ""
        print(f"{row}{figures['page_ms']:9}{missed}")
    print()


# --- What it finds -------------------------------------------------------------------


def recall(news: list[dict]) -> dict:
    """The figures of each language whose dictionary is there."""
    return {
        code: {
            half: figures_of(
                paradigms.score(code, words, lambda word, c=code: stem(word, c), number)
            )
            for half, number in (("tried", 0), ("held out", 1))
        }
        for code in desk.CODES
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
