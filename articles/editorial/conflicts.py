"""Concurrent edits: changes to different languages merge; to the same one, the second chooses."""

from __future__ import annotations

from dataclasses import dataclass

from articles.models import Article, ArticleText, Revision
from articles.text.diff import TextDiff, diff_texts

MINE, THEIRS = "mine", "theirs"


@dataclass(frozen=True)
class Conflict:
    """Somebody saved another text of this language since the form was opened."""

    mine: ArticleText
    theirs: ArticleText
    revision: Revision
    """Theirs; its number identifies the conflict."""

    @property
    def difference(self) -> TextDiff:
        """From theirs to mine."""
        theirs, mine = ((text.title, text.lead, text.body) for text in (self.theirs, self.mine))
        return diff_texts(theirs, mine)


@dataclass(frozen=True)
class Choice:
    """The second one's decision after seeing both texts."""

    which: str = ""
    seen: int = 0
    """The revision that was shown: a newer one asks again."""


NOT_CHOSEN = Choice()


def newest_revisions(article: Article) -> dict[str, Revision]:
    """The last revision of each language, also of an emptied one."""
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
    """The text to save, or the conflict to resolve.

    The article has to be locked and fresh. `base` is the revision that `mine` began from, 0
    for none. A text unchanged since its base yields to the saved one.
    """
    theirs = article.text_in(mine.language)
    if mine.is_same_text(theirs):
        return theirs
    if newest is None or newest.number == base:
        return mine
    began_from = article.revisions.of(article, mine.language).filter(number=base).first()
    if began_from is not None and mine.is_same_text(began_from.text):
        return theirs
    if began_from is None and mine.is_empty:
        return theirs
    if choice.seen == newest.number and choice.which in (MINE, THEIRS):
        return mine if choice.which == MINE else theirs
    return Conflict(mine, theirs, newest)
