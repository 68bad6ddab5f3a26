"""Building a week's digest from its published articles."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from articles.models import Article, Digest, DigestEntry
from core import languages
from core.weeks import Week


class EmptyWeek(Exception):
    """Nothing of that week is published."""


class DigestApproved(Exception):
    """An approved digest has to be reopened before it is changed."""


@transaction.atomic
def build_digest(week: Week) -> Digest:
    """Creates the week's digest and appends each published article that is not in it yet.

    New entries come last, in the order of topics; the order of the others stays.
    Raises EmptyWeek or DigestApproved.
    """
    label = week.label(languages.current())
    published = Article.objects.public().of_week(week).in_topic_order()
    if not published.exists():
        raise EmptyWeek(
            _("No article of the week %(week)s is published. Publish one, then gather again.")
            % {"week": label}
        )
    digest, _created = Digest.objects.get_or_create(week=week)
    if digest.is_approved:
        raise DigestApproved(
            _("The digest of %(week)s is approved. Open it again before changing it.")
            % {"week": label}
        )
    last = digest.entries.aggregate(last=Max("position"))["last"] or 0
    missing = published.exclude(digest_entries__digest=digest)
    DigestEntry.objects.bulk_create(
        DigestEntry(digest=digest, article=article, position=position)
        for position, article in enumerate(missing, start=last + 1)
    )
    return digest
