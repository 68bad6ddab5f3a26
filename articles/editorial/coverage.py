"""How far a week is: topics by languages, and what an edition shows where a text is missing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from articles.models import Article, ArticleText, Digest, Status, Topic
from articles.models.digests import DigestGap, GapPolicy
from core import languages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.weeks import Week

MISSING, STALE = "missing", "stale"
Policies = dict[tuple[int, str], str]
"""What is to be done about a gap, by topic and language."""


@dataclass(frozen=True)
class Cell:
    """One topic in one language."""

    topic: Topic | None
    article: Article | None
    language: str
    state: str
    policy: str

    @property
    def label(self) -> str:
        """The state in words."""
        own = {MISSING: _("Missing"), STALE: _("Stale")}
        return own.get(self.state) or str(Status(self.state).label)

    @property
    def language_name(self) -> str:
        return languages.own_name(self.language)

    @property
    def is_gap(self) -> bool:
        """Nothing that an edition could show."""
        return self.state not in {Status.PUBLISHED, STALE}

    @property
    def policy_label(self) -> str:
        return str(GapPolicy(self.policy).label) if self.policy else ""

    @property
    def key(self) -> str:
        """The name of its policy's field."""
        return f"gap-{self.topic.pk if self.topic else 0}-{self.language}"


@dataclass(frozen=True)
class Row:
    """A topic's article of the week; a topic without one has a row too."""

    topic: Topic | None
    article: Article | None
    cells: list[Cell]
    is_chosen: bool
    """In the digest."""

    @property
    def could_be_chosen(self) -> bool:
        """Public, and not in the digest."""
        return (
            not self.is_chosen and self.article is not None and bool(self.article.public_languages)
        )


def matrix(week: Week, digest: Digest | None = None) -> list[Row]:
    """A row for each article of the week, topic by topic, in a fixed number of queries."""
    articles = defaultdict(list)
    for article in Article.objects.of_week(week).not_withdrawn().with_everything().order_by("pk"):
        articles[article.topic_id].append(article)
    chosen = set(digest.entries.values_list("article", flat=True)) if digest else set()
    policies = policies_of(digest) if digest else {}
    rows = []
    for topic in [*Topic.objects.all(), None]:
        own = articles.get(topic.pk if topic else None) or ([None] if topic else [])
        rows += [_row(topic, article, chosen, policies) for article in own]
    return rows


def _row(topic: Topic | None, article: Article | None, chosen: set[int], policies: Policies) -> Row:
    cells = []
    for code in languages.codes():
        policy = policies.get((topic.pk, code), "") if topic else ""
        cells.append(Cell(topic, article, code, state_of(article, code), policy))
    return Row(topic, article, cells, article is not None and article.pk in chosen)


def state_of(article: Article | None, code: str) -> str:
    """Missing, or the language's status; stale if it is published and its source moved on."""
    row = article.language_rows.get(code) if article else None
    if article is None or row is None:
        return MISSING
    if row.is_public and code in article.stale_languages:
        return STALE
    return str(row.status)


def policies_of(digest: Digest) -> Policies:
    """What was chosen for the digest's gaps."""
    return {(gap.topic_id, gap.language): gap.policy for gap in digest.gaps.all()}


def pick(article: Article, preferences: list[str], policies: Policies) -> ArticleText | None:
    """What an edition with these languages shows of an article; None if it leaves it out.

    The first of its languages that is published, unless the policy of one that is missing
    before it says otherwise. The one place of this rule.
    """
    public = article.public_languages
    shows_other = False
    for code in preferences:
        if code in public:
            return article.text_in(code)
        policy = policies.get((article.topic_id or 0, code), "")
        if policy == GapPolicy.LEAVE_OUT:
            return None
        shows_other |= policy == GapPolicy.SHOW_OTHER
    return article.public_text(languages.nearest_first(preferences[0])) if shows_other else None


def held_gaps(digest: Digest) -> list[Cell]:
    """The cells that the digest waits for: nothing published in them, and told to hold it."""
    cells = [cell for row in matrix(digest.week, digest) for cell in row.cells]
    there = {(cell.topic, cell.language) for cell in cells if not cell.is_gap}
    held = {
        (cell.topic, cell.language): cell
        for cell in cells
        if cell.policy == GapPolicy.HOLD and (cell.topic, cell.language) not in there
    }
    return list(held.values())


def choose_policies(digest: Digest, chosen: Iterable[tuple[int, str, str]]) -> None:
    """Keeps a policy for each topic and language; an empty one is as the edition says."""
    for topic, language, policy in chosen:
        if policy in GapPolicy.values:
            DigestGap.objects.update_or_create(
                digest=digest, topic_id=topic, language=language, defaults={"policy": policy}
            )
        else:
            DigestGap.objects.filter(digest=digest, topic=topic, language=language).delete()
