"""The catalogues of translations, and the check that lets no string through without one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from babel.messages import Catalog
from django.utils import translation

from newsroom.catalogues import files, packages
from newsroom.catalogues.extraction import Text, extract_texts
from newsroom.catalogues.files import Catalogues, PackageCatalogues

TRANSLATED = ["be", "ru"]
HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Language: be\\n"\n'


class Small(Catalogues):
    """Two strings, one of them counted."""

    def texts(self, language: str, written: Catalog) -> Iterable[Text]:
        return [Text("Save"), Text(("%(n)s letter", "%(n)s letters"))]


def faults_of(folder: Path, content: str) -> list[str]:
    """What the check says of a Belarusian catalogue with that in it."""
    catalogues = Small(folder)
    path = catalogues.path_of("be")
    path.parent.mkdir(parents=True)
    path.write_text(HEADER + content)
    path.write_bytes(files.as_bytes(catalogues.stored("be")))
    return list(catalogues.errors("be"))


WHOLE = (
    '\nmsgid "%(n)s letter"\nmsgid_plural "%(n)s letters"\n'
    'msgstr[0] "%(n)s ліст"\nmsgstr[1] "%(n)s лісты"\nmsgstr[2] "%(n)s лістоў"\n'
)


# --- The check -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (WHOLE, "not translated: 'Save'"),
        (WHOLE + '\nmsgid "Save"\nmsgstr ""\n', "not translated: 'Save'"),
        (
            WHOLE.replace("%(n)s лістоў", "") + '\nmsgid "Save"\nmsgstr "Захаваць"\n',
            "not translated: ('%(n)s letter', '%(n)s letters')",
        ),
        (
            WHOLE.replace("(n)s лістоў", "(m)s лістоў") + '\nmsgid "Save"\nmsgstr "Захаваць"\n',
            "'%(n)s letter'",
        ),
        (
            WHOLE + '\nmsgid "Save"\nmsgstr "Захаваць"\n\nmsgid "Old"\nmsgstr "Стары"\n',
            "is out of date. Run `make messages`.",
        ),
    ],
    ids=["missing", "empty", "a hole in the plural", "another placeholder", "a string of the past"],
)
def test_a_hole_is_named(tmp_path: Path, content: str, fault: str) -> None:
    assert fault in "\n".join(faults_of(tmp_path, content))


def test_a_whole_catalogue_has_no_fault(tmp_path: Path) -> None:
    catalogues = Small(tmp_path)
    path = catalogues.path_of("be")
    path.parent.mkdir(parents=True)
    path.write_text(HEADER + WHOLE + '\nmsgid "Save"\nmsgstr "Захаваць"\n')
    path.write_bytes(files.as_bytes(catalogues.updated("be")))
    assert list(catalogues.errors("be")) == []


def test_a_language_without_a_catalogue_is_missing_everything(tmp_path: Path) -> None:
    faults = "\n".join(Small(tmp_path).errors("uk"))
    assert "not translated: 'Save'" in faults
    assert "out of date" in faults


def test_lint_fails_on_a_hole_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "all_catalogues", lambda: [Small(tmp_path)])
    assert any("not translated: 'Save'" in fault for fault in files.check())


@pytest.mark.long
def test_the_newsrooms_own_catalogues_are_whole() -> None:
    assert files.check() == []


# --- What is extracted ---------------------------------------------------------------


def found_in(folder: Path, name: str, source: str) -> list[tuple[object, str | None]]:
    path = folder / name
    path.write_text(source)
    return [(text.id, text.context) for text in extract_texts(path)]


def test_strings_are_found_in_python(tmp_path: Path) -> None:
    source = (
        'a = _("One " "sentence")\nb = ngettext("%d week", "%d weeks", n)\n'
        'c = pgettext("month", "May")\nd = translation.gettext_lazy("Far")\n'
        'e = gettext(row["name"])\nf = _(f"Hello {name}")\n'
        """g = f"{_('Near')} and here"\n"""
    )
    assert found_in(tmp_path, "a.py", source) == [
        ("One sentence", None),
        (("%d week", "%d weeks"), None),
        ("May", "month"),
        ("Far", None),
        ("Near", None),
    ]


def test_strings_are_found_in_templates(tmp_path: Path) -> None:
    source = (
        '{% translate "One" %}{% translate "May" context "month" %}'
        "{% blocktranslate count n=x|length %}{{ n }} week{% plural %}{{ n }} weeks"
        "{% endblocktranslate %}"
        '{% include "a.html" with title=_("Two") %}{{ name|default:_("Three") }}'
    )
    assert found_in(tmp_path, "a.html", source) == [
        ("One", None),
        ("May", "month"),
        (("%(n)s week", "%(n)s weeks"), None),
        ("Two", None),
        ("Three", None),
    ]


def test_strings_are_found_in_scripts(tmp_path: Path) -> None:
    source = 'const a = gettext("Now"), b = ngettext("%s hour", "%s hours", n);'
    assert found_in(tmp_path, "a.js", source) == [
        ("Now", None),
        (("%s hour", "%s hours"), None),
    ]


# --- The packages --------------------------------------------------------------------


def test_a_string_that_an_upgrade_brings_without_a_translation_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new.py").write_text('_("Brand new")\n_("Today")\n')
    monkeypatch.setitem(packages.PACKAGE_SOURCES, tmp_path, ("*.py",))
    packages.package_texts.cache_clear()
    try:
        faults = list(PackageCatalogues(files.ROOT / "locale" / "packages").errors("ru"))
    finally:
        packages.package_texts.cache_clear()
    assert [fault for fault in faults if "not translated" in fault] == [
        "locale/packages/ru/LC_MESSAGES/django.po: not translated: 'Brand new'"
    ]


def test_what_a_template_of_ours_replaces_is_not_asked_for() -> None:
    replaced = Text("You have signed out.")
    assert replaced not in packages.package_texts("django")


def shown(text: Text, number: int = 1) -> str:
    """As a page in the language of the moment says it."""
    if isinstance(text.id, tuple):
        one, many = text.id
        return str(
            translation.npgettext(text.context, one, many, number)
            if text.context
            else translation.ngettext(one, many, number)
        )
    return str(
        translation.pgettext(text.context, text.id)
        if text.context
        else translation.gettext(text.id)
    )


# Assimilated softness, "ґ" and the like: the spelling of 1918, in which Django's own
# Belarusian is written.
OTHER_SPELLING = re.compile(
    r"ґ|(?:сь|(?<!д)зь)[внлптцзйс]|ньн|льл|цьц|дзьв|цьв|\bня\b|\bбяз\b|сэанс|кляс|плян|лёг",
    re.IGNORECASE,
)


def test_what_belarusians_see_is_in_the_official_spelling() -> None:
    with translation.override("be"):
        for text in packages.package_texts("django"):
            for number in (1, 2, 5):
                assert not OTHER_SPELLING.search(shown(text, number)), shown(text, number)


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_has_what_the_english_has_not(language: str) -> None:
    """An HTML tag, a line break at the end, a space too many."""
    catalogues = [one.stored(language) for one in files.all_catalogues()]
    for message in (message for catalog in catalogues for message in catalog if message.id):
        english = message.id if isinstance(message.id, str) else message.id[0]
        said = [message.string] if isinstance(message.string, str) else message.string
        for text in said:
            assert re.findall(r"</?\w+", english) == re.findall(r"</?\w+", text), text
            assert english.endswith("\n") == text.endswith("\n"), text
            assert "  " not in text.strip(), text
            assert not re.search(r'["“”]', re.sub(r'="[^"]*"', "", text)), text


# --- Plurals -------------------------------------------------------------------------

ONE, FEW, MANY = (1, 21, 101), (2, 22, 103), (5, 11, 12, 25, 111, 0)


@pytest.mark.parametrize(
    ("language", "one", "few", "many"),
    [
        ("be", "увойдзе {} артыкул", "увойдуць {} артыкулы", "увойдзе {} артыкулаў"),
        ("ru", "войдёт {} статья", "войдут {} статьи", "войдёт {} статей"),
    ],
)
def test_our_plurals(language: str, one: str, few: str, many: str) -> None:
    text = Text(
        ("%(name)s would carry %(number)s article", "%(name)s would carry %(number)s articles")
    )
    with translation.override(language):
        for numbers, form in ((ONE, one), (FEW, few), (MANY, many)):
            for number in numbers:
                said = shown(text, number) % {"name": "BE/RU", "number": number}
                assert said.endswith(form.format(number)), said


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("be", ("{} вынік", "{} вынікі", "{} вынікаў")),
        ("ru", ("{} результат", "{} результата", "{} результатов")),
    ],
)
def test_the_packages_plurals(language: str, forms: tuple[str, str, str]) -> None:
    """Their catalogues count by another formula; both must come out right."""
    text = Text(("%(counter)s result", "%(counter)s results"))
    with translation.override(language):
        for numbers, form in zip((ONE, FEW, MANY), forms, strict=True):
            for number in numbers:
                assert shown(text, number) % {"counter": number} == form.format(number)


def test_every_plural_of_the_packages_changes_with_the_number() -> None:
    counted = [text for text in packages.package_texts("django") if isinstance(text.id, tuple)]
    assert len(counted) > 10
    with translation.override("be"):
        for text in counted:
            for numbers in (ONE, FEW, MANY):
                assert len({shown(text, number) for number in numbers}) == 1, text
