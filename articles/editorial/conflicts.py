"""Two people at one article: what each of them changed is kept, and where both changed the
same language the second one chooses."""

from __future__ import annotations

from dataclasses import dataclass

from articles.models import Article, ArticleText, Revision
from articles.text.diff import Difference, difference

MINE, THEIRS = "mine", "theirs"


@dataclass(frozen=True)
class Conflict:
    """Somebody saved another text of this language while this one was being typed."""

    mine: ArticleText
    theirs: ArticleText
    revision: Revision
    """Theirs: who, when, and the number that a choice between them is about."""

    @property
    def difference(self) -> Difference:
        """What mine says otherwise than theirs."""
        theirs, mine = ((text.title, text.lead, text.body) for text in (self.theirs, self.mine))
        return difference(theirs, mine)


@dataclass(frozen=True)
class Choice:
    """What the second of them chose, having seen both texts."""

    which: str = ""
    seen: int = 0
    """The revision of the other's text that was seen: a third text asks anew."""


NOT_CHOSEN = Choice()


def newest_revisions(article: Article) -> dict[str, Revision]:
    """The last revision of each language, also of one that was emptied."""
    return {
        revision.language: revision
        for revision in article.revisions.newest().select_related("saved_by")
    }


def merge(
    article: Article,
    mine: ArticleText,
    base: int,
    newest: Revision | None,
    choice: Choice = NOT_CHOSEN,
) -> ArticleText | Conflict:
    """The text to be saved, or the conflict that a person has to settle.

    The article has to be locked and fresh. `base` is the revision that `mine` began from, 0
    for none. A text that was not changed since its base gives way to what is there now.
    """
    theirs = article.text_in(mine.language)
    if mine.reads_as(theirs):
        return theirs
    if newest is None or newest.number == base:
        return mine
    began_from = article.revisions.of(article, mine.language).filter(number=base).first()
    if began_from is not None and mine.reads_as(began_from.text):
        return theirs
    if began_from is None and mine.is_empty:
        return theirs
    if choice.seen == newest.number and choice.which in (MINE, THEIRS):
        return mine if choice.which == MINE else theirs
    return Conflict(mine, theirs, newest)
