"""The documents tell the truth: their commands run, and whatever they name is there.

The commands' tables are in tests/documented_commands.py.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml
from django.apps import apps

from newsletter.delivery.reply_classifier import MAILBOX_GONE
from newsroom.celery import app as celery
from newsroom.env import RENAMED_VARIABLES
from tests.documented_commands import ENVIRONMENT, FILES, PREPARED, check, check_make, parse, step
from tests.documents import ROOT, Command, page, pages

COMMANDS = [
    command
    for one in pages()
    if one.name in {"README.md", "CONTRIBUTING.md"} or one.name.startswith("docs/")
    for command in one.commands
]

# --- Running -------------------------------------------------------------------------


def answers_of(jobs: list[dict[str, object]], folder: Path) -> list[list[tuple[int, str]]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.manage_many"],
        cwd=ROOT,
        env=ENVIRONMENT
        | {"HOME": str(folder), "VAR_DIR": str(folder / "work" / "var")}
        | {"STATIC_ROOT": str(folder / "work" / "static")},
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [[(code, said) for code, said in answers] for answers in json.loads(done.stdout)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[Command, tuple[int, str]]:
    """Every command that can be run was run: a page's in their order, each page by itself."""
    folder = tmp_path_factory.mktemp("documents")
    work, prepared = folder / "work", folder / "prepared"
    (work / "key-backup").mkdir(parents=True)
    (work / "manage.py").symlink_to(ROOT / "manage.py")
    for name, (of, language) in FILES.items():
        example = next(block for block in page(of).blocks if block.language == language)
        (work / name).write_text(example.text + "\n")
    preparing = {"prepared": "", "folder": str(work), "steps": [one.split() for one in PREPARED]}
    [prepared_answers] = answers_of([preparing], folder)
    assert [code for code, _said in prepared_answers] == [0] * len(PREPARED), prepared_answers
    shutil.copytree(work, prepared, symlinks=True)
    by_page: dict[str, list[Command]] = {}
    for command in COMMANDS:
        if step(command) is not None:
            by_page.setdefault(command.page, []).append(command)
    jobs: list[dict[str, object]] = [
        {"prepared": str(prepared), "folder": str(work), "steps": [step(one) for one in commands]}
        for commands in by_page.values()
    ]
    of_pages = answers_of(jobs, folder)
    return {
        command: answer
        for commands, answered in zip(by_page.values(), of_pages, strict=True)
        for command, answer in zip(commands, answered, strict=True)
    }


@pytest.mark.long
def test_a_command_in_the_documents_works(
    answers: dict[Command, tuple[int, str]], subtests: pytest.Subtests
) -> None:
    assert len(answers) > 50
    for command, (code, said) in answers.items():
        with subtests.test(command=str(command)):
            assert code == 0, said
            assert "Traceback" not in said, said


def test_a_command_that_is_not_run_is_one_that_there_is(subtests: pytest.Subtests) -> None:
    for command in COMMANDS:
        if step(command) is None:
            with subtests.test(command=str(command)):
                for words in command.parts:
                    check(words)


def test_a_command_of_another_kind_is_noticed_and_no_path_of_this_machine_touched() -> None:
    for text in ("frobnicate --all", "make nothing", "python -m no.such", "docker rm everything"):
        with pytest.raises((AssertionError, ModuleNotFoundError)):
            check(Command("none", 1, text).parts[0])
    for text in ("rm -r /var/lib/newsroom", "cp var/keys/links.key ~", "echo x > /etc/newsroom"):
        assert step(Command("none", 1, text)) is None
    assert step(Command("none", 1, "rm var/keys/intake.pub")) == "rm var/keys/intake.pub"
    inside = "docker compose exec -T -e A=1 worker python manage.py run_due"
    assert step(Command("none", 1, inside)) == ["run_due"]
    assert step(Command("none", 1, "sudo -u worker python manage.py run_due")) == ["run_due"]


# --- Blocks that are no commands -----------------------------------------------------

OTHER_BLOCKS: dict[str, Callable[[str], object]] = {
    "text": lambda text: None,
    "csv": lambda text: None,  # the import reads them
    "nginx": lambda text: text.count("{") == text.count("}"),
    "json": lambda text: [json.loads(line) for line in text.splitlines()],
    "yaml": yaml.safe_load,
    "python": ast.parse,
    "mermaid": lambda text: text.split()[0] in {"flowchart", "sequenceDiagram", "stateDiagram-v2"},
    "ini": lambda text: [check(words) for words in started_by(text)],
    "env": lambda text: [
        is_in_the_source(name) for name in re.findall(r"^#? ?([A-Z_]+)=", text, re.MULTILINE)
    ],
}
"""How each kind is checked: it raises, or says False."""


def started_by(unit: str) -> list[list[str]]:
    """The commands of a systemd unit."""
    return [shlex.split(line) for line in re.findall(r"^Exec\w+=[-+!]*(.+)$", unit, re.MULTILINE)]


def test_a_block_is_what_it_says(subtests: pytest.Subtests) -> None:
    for one in pages():
        with subtests.test(page=one.name):
            for block in one.blocks:
                if not block.holds_commands:
                    assert block.language in OTHER_BLOCKS, f"{block.language}, line {block.line}"
                    found = OTHER_BLOCKS[block.language](block.text)
                    assert found is not False, f"line {block.line}"
                    assert not isinstance(found, list) or False not in found, f"line {block.line}"


# --- What stands in backticks --------------------------------------------------------

NOT_IN_THE_REPOSITORY = ("var/", ".venv/", "staticfiles/", "/", "http", "~")
"""How paths begin that are made on the machine."""


@cache
def files() -> list[Path]:
    """Everything in the repository, relative to it."""
    left_out = {".git", ".venv", "var", "staticfiles", "__pycache__"}
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [one for one in folders if one not in left_out and "_cache" not in one]
        found += [(Path(folder) / name).relative_to(ROOT) for name in [*names, *folders]]
    return found


@cache
def source() -> str:
    """Every line of code and configuration, without the documents."""
    kinds = {".py", ".yml", ".yaml", ".toml", ".html", ".txt", ".sh", ""}
    return "\n".join(
        (ROOT / path).read_text(encoding="utf-8", errors="replace")
        for path in files()
        if path.suffix in kinds and (ROOT / path).is_file() and "docum" not in path.name
    )


@cache
def names_of_tests() -> set[str]:
    """The names of all tests."""
    return {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def is_a_file(path: str) -> bool:
    if path.startswith(NOT_IN_THE_REPOSITORY):
        return True
    pattern = re.sub(r"<[^>]+>|\{[^}]+\}", "*", path.rstrip("/"))
    return any(one.match(pattern) for one in files())


def is_a_dotted_name(name: str) -> bool:
    """A module or what is in it, a permission, or a task."""
    permissions = {
        f"{model._meta.app_label}.{code}"
        for model in apps.get_models()
        for code in (
            *(code for code, _label in model._meta.permissions),
            *(f"{verb}_{model._meta.model_name}" for verb in model._meta.default_permissions),
        )
    }
    celery.loader.import_default_modules()
    if name in permissions or name in celery.tasks:
        return True
    module, found = name, []
    while module:
        try:
            thing = importlib.import_module(module)
        except ImportError:
            module, _, last = module.rpartition(".")
            found.insert(0, last)
            continue
        for one in found:
            thing = getattr(thing, one, None)
        return thing is not None
    return False


@cache
def words_of_the_source() -> frozenset[str]:
    return frozenset(re.findall(r"\w+", source()))


def is_in_the_source(name: str) -> bool:
    parts = name.split(".")
    return words_of_the_source().issuperset(parts) and (len(parts) == 1 or name in source())


def is_a_constant(name: str) -> bool:
    """Or the former name of a variable, which the changelog has."""
    return is_in_the_source(name) or name.lower() in RENAMED_VARIABLES


KINDS: list[tuple[str, Callable[[str], object]]] = [
    (r"(?:python )?manage\.py (\S.*)", lambda words: parse(words.split())),
    (r"(make [a-z].*)", lambda words: check_make(words.split())),
    (r"(?:[\w/]+\.py::)?(test_\w+)", lambda name: name in names_of_tests()),
    (r"((?:newsroom|newsletter)\.[EW]\d{3})", is_in_the_source),
    (r"((?:newsroom|articles|newsletter|tests)(?:\.\w+)+)(?<!\.py)", is_a_dotted_name),
    (r"([\w.*<>{},/-]+\.(?:py|md|html|toml|ya?ml|po|css))", is_a_file),
    (r"([\w.-]+/(?:[\w.*<>{}-]+/)*)", is_a_file),
    (r"([A-Z][A-Z0-9_]{3,})(?:=.*)?", is_a_constant),
    (r"(_?[a-z0-9]+(?:_[a-z0-9]+)+)", is_in_the_source),
]
"""What a text in backticks may be, and whether it is there; the first that fits counts."""


def test_whatever_a_page_names_in_backticks_is_there(subtests: pytest.Subtests) -> None:
    for one in pages():
        with subtests.test(page=one.name):
            missing = []
            for span in one.spans:
                for pattern, is_there in KINDS:
                    fits = re.fullmatch(pattern, span)
                    if fits:
                        if is_there(fits[1]) is False:
                            missing.append(span)
                        break
            assert missing == []


def test_a_name_that_is_not_there_is_noticed() -> None:
    assert not is_a_file("newsletter/no_such_module.py")
    assert not is_a_dotted_name("newsletter.campaigns.lifecycle.no_such_function")
    assert not is_in_the_source("no_such_" + "function")
    assert is_a_file("newsletter/campaigns/lifecycle.py")
    assert is_a_dotted_name("newsletter.campaigns.approval.approve")
    assert is_a_dotted_name("articles.publish_article")
    with pytest.raises(AssertionError, match="There is no command"):
        parse(["no_such_command"])
    with pytest.raises(AssertionError):
        check_make(["make", "no-such-target"])


# --- Links, and the rest -------------------------------------------------------------


def test_every_link_within_the_documents_leads_somewhere(subtests: pytest.Subtests) -> None:
    for one in pages():
        with subtests.test(page=one.name):
            dead = []
            for link in one.links:
                path, _, anchor = link.partition("#")
                if re.match(r"\w+:", link):
                    continue
                target = (one.path.parent / path).resolve() if path else one.path
                inside = target.is_relative_to(ROOT) and target.exists()
                if not inside or (
                    anchor and anchor not in page(str(target.relative_to(ROOT))).anchors
                ):
                    dead.append(link)
            assert dead == []


def test_the_index_names_every_page() -> None:
    index = page("docs/README.md")
    named = {link.partition("#")[0] for link in index.links}
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"} <= named


def test_a_page_has_one_title_and_its_tables_are_whole(subtests: pytest.Subtests) -> None:
    for one in pages():
        with subtests.test(page=one.name):
            assert one.text.startswith("# ")
            assert len(re.findall(r"^# ", one.prose, re.MULTILINE)) == 1
            columns = 0
            for line in one.prose.splitlines():
                cells = line.replace(r"\|", "").count("|") if line.startswith("|") else 0
                assert cells == columns or not cells or not columns, line
                columns = cells


NOT_SAID = re.compile(r'`[^`\n]+`|\]\([^)]*\)|"[^"]*"|“[^”]*”')
"""Code, addresses, and what others say."""
LOUD = re.compile(
    r"\b(we|our|ours|us|simply|easily|effortless\w*|obviously|seamless\w*|robust\w*|powerful|"
    r"leverag\w+|blazing\w*|cutting-edge|state-of-the-art|world-class|AI|LLM|this session|"
    r"TODO|FIXME)\b",
    re.IGNORECASE,
)


def test_a_page_praises_nothing_and_speaks_of_nobody_who_wrote_it(
    subtests: pytest.Subtests,
) -> None:
    for one in pages():
        with subtests.test(page=one.name):
            said = NOT_SAID.sub("", one.prose)
            assert [found[0] for found in LOUD.finditer(said)] == []


def test_the_codes_that_end_a_subscription_are_those_of_the_code() -> None:
    [row] = [
        line for line in page("docs/delivery.md").text.splitlines() if "ends as bounced" in line
    ]
    assert set(re.findall(r"\d\.\d+\.\d+", row)) == MAILBOX_GONE


def test_the_readme_lists_the_guarantees_that_are_tests() -> None:
    text = page("README.md").prose.partition("## What it guarantees")[2].partition("## ")[0]
    listed = set(re.findall(r"^\| (\d+) \|", text, re.MULTILINE))
    tested = {
        found[1]
        for found in map(re.compile(r"test_guarantee_(\d+)_").match, names_of_tests())
        if found
    }
    assert listed == tested
