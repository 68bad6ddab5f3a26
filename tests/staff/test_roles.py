"""Every role against every action, through the admin's pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from articles.editorial.digest_builder import build_digest
from articles.models import Article, Author, Digest
from core import languages
from newsletter.campaigns import approval
from newsletter.campaigns import lifecycle as mailings
from newsletter.models import Mailing
from staff import roles
from staff.models import role_label
from staff.roles import ROLES, make_roles
from staff.second_factor import needs_second_factor
from tests.articles.browser import ADD, LIST, change_url, form_data, form_data_of, visible_text
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    enrol,
    make_article,
    make_edition,
    make_topic,
    make_user,
)
from tests.newsroom.production import ROOT

pytestmark = pytest.mark.django_db
NOBODY, SUPERUSER = "nobody", "superuser"


@dataclass
class Desk:
    """Somebody with a role, and what there is to act on."""

    user: Any
    client: Client
    own: Article
    """Theirs, a draft in all three languages, written in English first."""
    others: Article
    public: Article
    """Another's, published in English."""


def desk_of(role: str) -> Desk:
    if role == SUPERUSER:
        user = make_user(username="somebody")
    else:
        user = make_user(username="somebody", is_superuser=False, enrolled=False)
        if role != NOBODY:
            user.groups.add(Group.objects.get(name=role))
        user = User.objects.get(pk=user.pk)
        if needs_second_factor(user):
            enrol(user)
    client = Client()
    client.force_login(user)
    own = make_article(title="Own", owner=user, published_in=())
    others = make_article(title="Others", owner=make_user(username="other"), published_in=())
    for article in (own, others):
        # As if English had come first and the others been translated from it.
        source = article.article_languages.get(language="en")
        for row in article.article_languages.exclude(language="en"):
            row.set_source("en", source.fingerprint)
    public = make_article(
        title="Public", topic=make_topic(code="west"), owner=others.owner, published_in=("en",)
    )
    return Desk(user, client, own, others, public)


def fresh(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


def writes(whose: str, **changes: Any) -> Callable[[Desk], bool]:
    """Saves the article's form with these changes; whether they are there then."""

    def act(desk: Desk) -> bool:
        article = fresh(getattr(desk, whose))
        desk.client.post(change_url(article), form_data_of(article, **changes))
        return all(getattr(fresh(article), name) == value for name, value in changes.items())

    return act


def presses(whose: str, code: str, is_done: Callable[[Any], bool], **button: str) -> Any:
    def act(desk: Desk) -> bool:
        article = fresh(getattr(desk, whose))
        desk.client.post(change_url(article), form_data_of(article, **button))
        row = fresh(article).article_languages.get(language=code)
        return is_done(row)

    return act


def adds(path: str, sent: dict[str, Any], model: type[Any]) -> Callable[[Desk], bool]:
    def act(desk: Desk) -> bool:
        before = model.objects.count()
        desk.client.post(path, sent)
        return model.objects.count() > before

    return act


def sees(path: str) -> Callable[[Desk], bool]:
    return lambda desk: desk.client.get(path).status_code == 200


def translates_others(desk: Desk) -> bool:
    path = f"{LIST}{desk.others.pk}/translate/be/"
    sent = {"title_be": "Новы", "lead_be": "", "body_be": "<p>Т.</p>", "base_be": "1"}
    desk.client.post(path, sent)
    return bool(fresh(desk.others).title_be == "Новы")


def withdraws(desk: Desk) -> bool:
    desk.client.post(f"{LIST}{desk.public.pk}/do/withdraw-en/")
    return fresh(desk.public).public_languages == []


def deletes(whose: str) -> Callable[[Desk], bool]:
    def act(desk: Desk) -> bool:
        row = getattr(desk, whose)
        desk.client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})
        return not Article.objects.filter(pk=row.pk).exists()

    return act


def a_digest() -> Digest:
    make_edition()
    return build_digest(WEEK)


def approves(desk: Desk) -> bool:
    digest = a_digest()
    desk.client.post(reverse("admin:articles_digest_do", args=[digest.pk, "approve"]))
    return bool(fresh(digest).is_approved)


def sends(desk: Desk) -> bool:
    [mailing] = approval.approve(a_digest(), desk.others.owner, MONDAY_MORNING)
    desk.client.post(reverse("admin:newsletter_mailing_do", args=[mailing.pk, "send"]))
    return bool(fresh(mailing).launched_at)


def cancels(desk: Desk) -> bool:
    [mailing] = approval.approve(a_digest(), desk.others.owner, MONDAY_MORNING)
    mailings.launch(mailing, MONDAY_MORNING)
    for verb in ("pause", "cancel"):
        desk.client.post(reverse("admin:newsletter_mailing_do", args=[mailing.pk, verb]))
    return bool(Mailing.objects.get().status == "cancelled")


def changes_edition(desk: Desk) -> bool:
    edition = make_edition()
    page = desk.client.get(reverse("admin:newsletter_edition_change", args=[edition.pk]))
    return page.status_code == 200 and 'name="_save"' in page.content.decode()


def hands_in_to_the_public(desk: Desk) -> bool:
    """What they change in a public text waits for an editor."""
    Article.objects.filter(pk=desk.public.pk).update(owner=desk.user)
    return desk.public.drafts.count() == 0 and (
        writes("public", title_en="New")(desk) is False
        and fresh(desk.public).drafts.submitted().exists()
    )


def is_in(status: str) -> Callable[[Any], bool]:
    return lambda row: row.status == status


def sees_revisions(desk: Desk) -> bool:
    return sees(f"{LIST}{desk.others.pk}/revisions/en/")(desk)


def reads(desk: Desk) -> bool:
    return sees(change_url(desk.others))(desk)


def shares(desk: Desk) -> bool:
    desk.client.post(f"{LIST}{desk.own.pk}/share/")
    return desk.own.preview_links.exists()


NAMED = {f"name_{code}": "" for code in languages.codes()}
LATER = {"_do": "schedule:en", "schedule_en": "2099-01-01T09:00"}
AUTHORS, DIGESTS = "/admin/articles/author/add/", "/admin/articles/digest/add/"
A, T, E, M, S = roles.ANALYST, roles.TRANSLATOR, roles.EDITOR, roles.MANAGER, SUPERUSER
ACTIONS: list[tuple[str, set[str], Callable[[Desk], bool]]] = [
    ("reads an article", {A, T, E, M, S}, reads),
    ("starts an article", {A, E, S}, adds(ADD, form_data(title_en="New"), Article)),
    ("writes their own", {A, E, S}, writes("own", title_en="New")),
    ("changes the facts of their own", {A, E, S}, writes("own", verdict="improved")),
    ("writes another's original", {E, S}, writes("others", title_en="New")),
    ("changes the facts of another's", {E, S}, writes("others", verdict="improved")),
    ("writes another's translation", {T, E, S}, writes("others", title_be="Новы")),
    ("translates beside the source", {T, E, S}, translates_others),
    ("hands in", {A, E, S}, presses("own", "en", is_in("review"), _do="submit-for-review:en")),
    ("hands in a change of a public text", {A}, hands_in_to_the_public),
    ("publishes their own", {E, S}, presses("own", "en", is_in("published"), _publish="en")),
    ("publishes another's", {E, S}, presses("others", "en", is_in("published"), _publish="en")),
    ("schedules", {E, S}, presses("others", "en", is_in("scheduled"), **LATER)),
    ("corrects a public text", {E, S}, writes("public", title_en="New")),
    ("withdraws", {E, S}, withdraws),
    ("deletes their own draft", {A, E, S}, deletes("own")),
    ("deletes another's draft", {E, S}, deletes("others")),
    ("deletes what was public", set(), deletes("public")),
    ("shares a preview of what they write", {A, T, E, S}, shares),
    ("sees revisions", {A, T, E, M, S}, sees_revisions),
    ("uploads pictures", {A, T, E, S}, sees("/admin/articles/picture/add/")),
    ("gathers a digest", {E, S}, adds(DIGESTS, {"week": str(WEEK)}, Digest)),
    ("approves a digest", {E, S}, approves),
    ("sends a mailing", {E, S}, sends),
    ("pauses and cancels a mailing", {E, S}, cancels),
    ("sees mailings", {E, M, S}, sees("/admin/newsletter/mailing/")),
    ("changes an edition", {M, S}, changes_edition),
    ("adds an author", {E, M, S}, adds(AUTHORS, {**NAMED, "code": "new"}, Author)),
    ("adds a topic", {M, S}, sees("/admin/articles/topic/add/")),
    ("changes the masthead", {M, S}, sees("/admin/articles/sitesettings/add/")),
    ("writes about and privacy", {M, S}, sees("/admin/articles/page/add/")),
    ("sees the audit", {E, M, S}, sees("/admin/staff/auditentry/")),
    ("adds a user", {S}, sees("/admin/auth/user/add/")),
    ("makes a group", {S}, sees("/admin/staff/role/add/")),
]


def roles_of_each_tier() -> list[Any]:
    """Who may most and who may least of them in both tiers."""
    in_both = ["Analyst", "Editor", NOBODY]
    others = {*ROLES, SUPERUSER} - {*in_both}
    return in_both + [pytest.param(role, marks=pytest.mark.long) for role in sorted(others)]


@pytest.mark.parametrize("role", roles_of_each_tier())
def test_a_role_may_do_what_it_is_for_and_nothing_else(role: str) -> None:
    """Each action on a desk as it was before the others."""
    desk = desk_of(role)
    could = set()
    for action, _allowed, act in ACTIONS:
        with transaction.atomic():
            if act(desk):
                could.add(action)
            transaction.set_rollback(True)
    assert could == {action for action, allowed, _act in ACTIONS if role in allowed}


# --- The groups ----------------------------------------------------------------------


def test_every_permission_of_a_role_exists() -> None:
    known = {
        f"{app}.{name}"
        for app, name in Permission.objects.values_list("content_type__app_label", "codename")
    }
    for name, permissions in ROLES.items():
        assert set(permissions) <= known, name
        assert Group.objects.get(name=name).permissions.count() == len(set(permissions))


def test_a_migration_puts_a_role_right_and_leaves_other_groups_alone() -> None:
    analysts = Group.objects.get(name=roles.ANALYST)
    analysts.permissions.add(Permission.objects.get(codename="publish_article"))
    own = Group.objects.create(name="Interns")
    own.permissions.add(Permission.objects.get(codename="view_article"))
    make_roles()
    assert not analysts.permissions.filter(codename="publish_article").exists()
    assert own.permissions.count() == 1


def test_who_may_only_write_needs_no_second_factor_and_the_others_do() -> None:
    free = {role for role, own in ROLES.items() if set(own) <= settings.PASSWORD_ONLY_PERMISSIONS}
    assert free == {roles.ANALYST, roles.TRANSLATOR}


def test_a_role_is_called_as_the_language_calls_it() -> None:
    group = Group.objects.get(name=roles.ANALYST)
    client = Client()
    client.force_login(make_user())
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "be"
    for path in ("/admin/staff/role/", f"/admin/auth/user/{make_user().pk}/change/"):
        page = visible_text(client.get(path))
        assert "Аналітык" in page
        assert "Analyst" not in page
    assert role_label(Group(name="Interns")) == "Interns"
    assert role_label(group) == "Analyst"


def test_the_projects_groups_are_only_shown(client: Client) -> None:
    client.force_login(make_user())
    group = Group.objects.get(name=roles.EDITOR)
    path = f"/admin/staff/role/{group.pk}/change/"
    assert 'name="_save"' not in client.get(path).content.decode()
    assert client.post(path, {"name": "X", "permissions": []}).status_code == 403
    assert client.post(f"/admin/staff/role/{group.pk}/delete/", {"post": "yes"}).status_code == 403
    own = Group.objects.create(name="Interns")
    assert 'name="_save"' in client.get(f"/admin/staff/role/{own.pk}/change/").content.decode()


def test_the_document_on_staff_names_each_role() -> None:
    text = (ROOT / "docs" / "staff.md").read_text()
    table = re.findall(r"^\| \*\*(\w+)\*\* \|", text, re.MULTILINE)
    assert table == list(ROLES)
