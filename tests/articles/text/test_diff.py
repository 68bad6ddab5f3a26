"""A difference says what changed, in words, and nothing that did not."""

from __future__ import annotations

import random

from articles.text.diff import ChangeKind, Run, count_changed_words, diff_texts

OLD = ("Budget", "What it says.", "<p>One stays.</p><p>The budget grows fast.</p><p>End.</p>")


def changed(old: tuple[str, str, str], new: tuple[str, str, str]) -> list[list[tuple[str, str]]]:
    return [
        [(run.kind.value, run.text) for run in one.runs]
        for one in diff_texts(old, new).paragraphs
        if one.is_changed
    ]


def body(html: str) -> tuple[str, str, str]:
    return (OLD[0], OLD[1], html)


def test_the_same_text_has_no_difference() -> None:
    assert diff_texts(OLD, OLD).is_empty
    broken = body(OLD[2].replace("</p><p>", "</p>\n\n<p>"))
    assert diff_texts(OLD, broken).is_empty, "lines are broken as an editor likes"


def test_a_word_is_shown_in_its_paragraph() -> None:
    new = body(OLD[2].replace("grows fast", "shrinks fast"))
    assert changed(OLD, new) == [
        [("same", "The budget "), ("removed", "grows"), ("added", "shrinks"), ("same", " fast.")]
    ]
    assert diff_texts(OLD, new).changed_words == 2


def test_title_and_lead_are_compared_too() -> None:
    assert changed(OLD, ("Budget 2027", OLD[1], OLD[2])) == [
        [("same", "Budget"), ("added", " 2027")]
    ]


def test_a_paragraph_comes_or_goes_as_a_whole() -> None:
    assert changed(OLD, body("<p>One stays.</p><p>End.</p>")) == [
        [("removed", "The budget grows fast.")]
    ]
    assert changed(OLD, body(OLD[2] + "<p>More.</p>")) == [[("added", "More.")]]


def test_paragraphs_that_have_nothing_in_common_are_not_mixed() -> None:
    new = body(OLD[2].replace("The budget grows fast.", "Ніводнага агульнага слова"))
    assert changed(OLD, new) == [
        [("removed", "The budget grows fast.")],
        [("added", "Ніводнага агульнага слова")],
    ]


def test_a_change_of_markup_only_is_said_as_such() -> None:
    new = body(OLD[2].replace("fast", "<strong>fast</strong>"))
    found = diff_texts(OLD, new)
    assert found.is_markup_only
    assert not found.is_empty
    assert changed(OLD, new) == []


def test_where_a_link_leads_is_part_of_what_is_said() -> None:
    old = body('<p>See <a href="https://a.example/">this</a>.</p>')
    new = body('<p>See <a href="https://b.example/">this</a>.</p>')
    [runs] = changed(old, new)
    assert not diff_texts(old, new).is_markup_only
    assert ("removed", " https://a.example/") in runs
    assert ("added", " https://b.example/") in runs


def test_long_unchanged_stretches_are_folded() -> None:
    paragraphs = [f"<p>Paragraph {number}.</p>" for number in range(20)]
    new = [*paragraphs[:10], "<p>Paragraph ten.</p>", *paragraphs[11:]]
    folded = list(diff_texts(body("".join(paragraphs)), body("".join(new))).folded())
    numbers = [one for one in folded if isinstance(one, int)]
    assert numbers == [2 + 9, 8]
    assert len(folded) == 2 + 3


def test_a_very_long_paragraph_is_compared_word_by_word_too() -> None:
    words = [f"word{number}" for number in range(6000)]
    changed_words = ["other" if number % 10 == 5 else word for number, word in enumerate(words)]
    found = diff_texts(body(f"<p>{' '.join(words)}</p>"), body(f"<p>{' '.join(changed_words)}</p>"))
    [one] = [one for one in found.paragraphs if one.is_changed]
    assert sum(len(run.text.split()) for run in one.runs if run.kind == ChangeKind.SAME) == 5400


def test_long_paragraphs_that_only_frequent_words_share_are_replaced_as_a_whole() -> None:
    """Word by word it would take minutes."""
    one, other = (" ".join(random.Random(seed).choices("ab", k=4000)) for seed in (1, 2))
    assert changed(body(f"<p>{one}</p>"), body(f"<p>{other}</p>")) == [
        [("removed", one)],
        [("added", other)],
    ]


def test_a_paragraph_that_is_longer_than_any_is_replaced_as_a_whole() -> None:
    one = " ".join(str(number) for number in range(30_000))
    other = one.replace("17 ", "17, ")
    assert changed(body(f"<p>{one}</p>"), body(f"<p>{other}</p>")) == [
        [("removed", one)],
        [("added", other)],
    ]
    assert diff_texts(body(f"<p>{one}</p>"), body(f"<p>{one}</p>")).is_empty


def test_a_rewritten_paragraph_is_found_below_a_new_one() -> None:
    new = body(
        OLD[2].replace("<p>The budget grows fast.", "<p>New.</p><p>The budget grows slowly.")
    )
    assert changed(OLD, new) == [
        [("added", "New.")],
        [("same", "The budget grows "), ("removed", "fast"), ("added", "slowly"), ("same", ".")],
    ]


def test_words_that_came_and_went_are_counted_wherever_they_stand() -> None:
    assert count_changed_words(OLD, OLD) == (0, 0)
    assert count_changed_words(OLD, body(OLD[2].replace("grows fast", "shrinks"))) == (1, 2)
    assert count_changed_words(("", "", ""), ("One two", "", "<p>three</p>")) == (3, 0)


def test_runs_put_together_are_the_two_texts() -> None:
    new = body("<p>One stays here.</p><p>The budget, it grows.</p>")
    for one in diff_texts(OLD, new).paragraphs:
        assert all(isinstance(run, Run) and run.text for run in one.runs)
    said = {
        kind: [
            "".join(run.text for run in one.runs if run.kind in (ChangeKind.SAME, kind))
            for one in diff_texts(OLD, new).paragraphs
        ]
        for kind in (ChangeKind.REMOVED, ChangeKind.ADDED)
    }
    assert said[ChangeKind.ADDED][:4] == [
        *("Budget", "What it says.", "One stays here.", "The budget, it grows.")
    ]
    assert said[ChangeKind.REMOVED][2:] == ["One stays.", "The budget grows fast.", "End."]
