"""The coverage matrix of a week (topics by languages) and the policies for its gaps."""

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
"""GapPolicy by topic id and language."""


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
        """The state, translated."""
        own = {MISSING: _("Missing"), STALE: _("Stale")}
        return own.get(self.state) or str(Status(self.state).label)

    @property
    def language_name(self) -> str:
        return languages.native_name(self.language)

    @property
    def is_gap(self) -> bool:
        """No published text for an edition."""
        return self.state not in {Status.PUBLISHED, STALE}

    @property
    def policy_label(self) -> str:
        return str(GapPolicy(self.policy).label) if self.policy else ""

    @property
    def key(self) -> str:
        """The form field's name."""
        return f"gap-{self.topic.pk if self.topic else 0}-{self.language}"


@dataclass(frozen=True)
class Row:
    """One article of the week, or a topic without one."""

    topic: Topic | None
    article: Article | None
    cells: list[Cell]
    is_in_digest: bool

    @property
    def can_be_added(self) -> bool:
        """Public, and not in the digest."""
        return (
            not self.is_in_digest
            and self.article is not None
            and bool(self.article.public_languages)
        )


def coverage_matrix(week: Week, digest: Digest | None = None) -> list[Row]:
    """A row for each article of the week by topic, in a fixed number of queries."""
    articles = defaultdict(list)
    for article in Article.objects.of_week(week).not_withdrawn().with_related().order_by("pk"):
        articles[article.topic_id].append(article)
    chosen = set(digest.entries.values_list("article", flat=True)) if digest else set()
    policies = gap_policies(digest) if digest else {}
    rows = []
    for topic in [*Topic.objects.all(), None]:
        own = articles.get(topic.pk if topic else None) or ([None] if topic else [])
        rows += [_row(topic, article, chosen, policies) for article in own]
    return rows


def _row(topic: Topic | None, article: Article | None, chosen: set[int], policies: Policies) -> Row:
    cells = []
    for code in languages.codes():
        policy = policies.get((topic.pk, code), "") if topic else ""
        cells.append(Cell(topic, article, code, cell_state(article, code), policy))
    return Row(topic, article, cells, article is not None and article.pk in chosen)


def cell_state(article: Article | None, code: str) -> str:
    """MISSING, STALE (published and stale) or the language's status."""
    row = article.language_rows.get(code) if article else None
    if article is None or row is None:
        return MISSING
    if row.is_public and code in article.stale_languages:
        return STALE
    return str(row.status)


def gap_policies(digest: Digest) -> Policies:
    """The digest's saved policies."""
    return {(gap.topic_id, gap.language): gap.policy for gap in digest.gaps.all()}


def text_for_edition(
    article: Article, preferences: list[str], policies: Policies
) -> ArticleText | None:
    """The text of an article for an edition with these languages; None to leave it out.

    The first language that is published, unless the policy of a missing one before it says
    otherwise. The only place of this rule.
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
    return article.public_text(languages.preference_order(preferences[0])) if shows_other else None


def gaps_on_hold(digest: Digest) -> list[Cell]:
    """Cells without a published text whose policy is to hold the digest."""
    cells = [cell for row in coverage_matrix(digest.week, digest) for cell in row.cells]
    there = {(cell.topic, cell.language) for cell in cells if not cell.is_gap}
    held = {
        (cell.topic, cell.language): cell
        for cell in cells
        if cell.policy == GapPolicy.HOLD and (cell.topic, cell.language) not in there
    }
    return list(held.values())


def save_gap_policies(digest: Digest, chosen: Iterable[tuple[int, str, str]]) -> None:
    """Saves (topic id, language, policy); an empty policy is the edition's own."""
    for topic, language, policy in chosen:
        if policy in GapPolicy.values:
            DigestGap.objects.update_or_create(
                digest=digest, topic_id=topic, language=language, defaults={"policy": policy}
            )
        else:
            DigestGap.objects.filter(digest=digest, topic=topic, language=language).delete()
