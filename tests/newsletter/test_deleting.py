"""What a mailing stands on cannot be deleted under it, and whoever tries is told why."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse

from articles.models import Digest
from newsletter.models import Edition, Import, Mailing, MailingStatus, SignUp, Variant
from newsletter.subscribers import sign_up
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber, make_user
from tests.newsletter.bad_relays import ClosesInTheMiddle, CorrectRelay
from tests.newsletter.conftest import Against
from tests.newsletter.delivery.lane_batches import launched, turn

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SUBSCRIBERS = 3
ON_THE_LIST = "Somebody is on its list, has been, or waits to be."


def words(answer: Any) -> str:
    """What a page says, without its markup."""
    text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", answer.content.decode(), flags=re.S)
    return " ".join(html.unescape(text).split())


@pytest.mark.parametrize("model", [Edition, Digest, Mailing, Variant])
def test_nothing_that_a_mailing_stands_on_is_deleted_under_it(
    against: Against, model: type[models.Model]
) -> None:
    mailing = launched(SUBSCRIBERS)
    with pytest.raises(ProtectedError, match="Cannot delete some instances"):
        model._default_manager.get().delete()
    against(CorrectRelay)
    assert turn(mailing).sent == SUBSCRIBERS


def test_an_edition_deleted_in_the_middle_of_its_sending_stays_and_the_rest_goes(
    client: Client, against: Against
) -> None:
    kind = type("Closes", (ClosesInTheMiddle,), {"at": "data", "asked": 1})
    against(kind)
    mailing = launched(SUBSCRIBERS)
    assert turn(mailing).still_to_send > 0
    client.force_login(make_user())
    delete = reverse("admin:newsletter_edition_delete", args=[mailing.edition_id])
    said = words(client.get(delete))
    assert "would require deleting the following protected related objects" in said
    assert f"EN. {ON_THE_LIST} Mailings: 1." in said
    assert "@" not in said, "it names no subscriber"
    client.post(delete, {"post": "yes"})
    assert Edition.objects.filter(pk=mailing.edition_id).exists()
    assert turn(mailing, minutes=1).sent == SUBSCRIBERS
    assert mailing.status == MailingStatus.SENT


def test_several_editions_at_once_are_no_way_around_it(client: Client) -> None:
    mailing, unused = launched(SUBSCRIBERS), make_edition(code="be-ru")
    client.force_login(make_user())
    both = {
        "action": "delete_selected",
        "_selected_action": [str(mailing.edition_id), str(unused.pk)],
    }
    changelist = reverse("admin:newsletter_edition_changelist")
    said = words(client.post(changelist, both))
    assert f"EN. {ON_THE_LIST} Mailings: 1." in said
    client.post(changelist, {**both, "post": "yes"})
    assert Edition.objects.count() == 2
    only_unused = {**both, "_selected_action": [str(unused.pk)], "post": "yes"}
    client.post(changelist, only_unused)
    assert Edition.objects.get().pk == mailing.edition_id


def test_no_page_says_how_many_stand_on_an_edition(client: Client) -> None:
    """The list hides each number below five; a sum of one edition's would tell it."""
    edition = make_edition()
    client.force_login(make_user())
    delete = reverse("admin:newsletter_edition_delete", args=[edition.pk])
    both = {"action": "delete_selected", "_selected_action": [str(edition.pk)]}
    seen = []
    for subscribers in (1, 3, 4):
        for _ in range(subscribers):
            make_subscriber(edition=edition)
        for answer in (
            client.get(delete),
            client.post(reverse("admin:newsletter_edition_changelist"), both),
        ):
            assert f"EN. {ON_THE_LIST}" in words(answer)
            seen.append(re.sub(r"\W[\w/+=-]{40,}\W", "", words(answer)))
    assert len(set(seen)) == 2, "what one says does not depend on how many there are"


@pytest.mark.parametrize("how", ["sign-up", "import"])
def test_an_edition_that_somebody_waits_for_stays(client: Client, how: str) -> None:
    """Nobody who signed up a moment ago is lost with it."""
    edition = make_edition()
    if how == "sign-up":
        sign_up.sign_up("new@example.org", edition, "en", MONDAY_MORNING)
    else:
        row = Import.objects.create(uploaded_at=MONDAY_MORNING)
        row.staged.create(
            edition=edition, address_hash=b"x", sealed_address=b"x", key_generation=1, language="en"
        )
    client.force_login(make_user())
    delete = reverse("admin:newsletter_edition_delete", args=[edition.pk])
    assert f"EN. {ON_THE_LIST}" in words(client.get(delete))
    client.post(delete, {"post": "yes"})
    assert Edition.objects.exists()
    assert SignUp.objects.exists() == (how == "sign-up")


def test_the_database_itself_refuses_whoever_goes_around_the_newsroom() -> None:
    mailing = launched(SUBSCRIBERS)
    table = Edition._meta.db_table
    with pytest.raises(IntegrityError), transaction.atomic():
        delete_in_sql(table, mailing.edition_id)
    assert Edition.objects.filter(pk=mailing.edition_id).exists()


def delete_in_sql(table: str, pk: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE id = %s", [pk])
    connection.check_constraints()
