"""A weekly digest to a thousand subscribers, with real processes.

    python benchmarks/weekly.py ../shared/corpus/news.jsonl [--subscribers 1000]

Imports the corpus over twelve weeks and subscribers of two editions, approves the last full week's
digest, and sends it through a Celery worker to an SMTP server. Checks that each subscriber received
one letter, of their edition, with their own token; else exits with 1.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VAR_DIR = Path(tempfile.mkdtemp(prefix="weekly-"))
sys.path.insert(0, str(ROOT))
os.environ |= {"DJANGO_SETTINGS_MODULE": "newsroom.settings", "VAR_DIR": str(VAR_DIR)}

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from articles.editorial.digest_builder import build_digest  # noqa: E402
from articles.models import Topic  # noqa: E402
from core.weeks import Week  # noqa: E402
from demo import process_manager  # noqa: E402
from demo.mail_catcher.catcher import Catcher  # noqa: E402
from keys import sealing, tokens  # noqa: E402
from keys.tokens import TokenKind  # noqa: E402
from newsletter.campaigns import approval, lifecycle  # noqa: E402
from newsletter.imports import apply, dry_run  # noqa: E402
from newsletter.imports.upload import import_from_chunks  # noqa: E402
from newsletter.models import Edition, Subscriber  # noqa: E402
from newsletter.tasks import enqueue_lanes  # noqa: E402

SEND_TIMEOUT_SECONDS = 300
TOPICS = ("elite", "society", "security", "west", "russia")
EDITIONS = {"en": ["en"], "be-ru": ["be", "ru"]}


def main() -> None:
    """Prints the figures and what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--subscribers", type=int, default=1000)
    arguments = parser.parse_args()
    editions = set_up(arguments.corpus, arguments.subscribers)
    with Catcher(VAR_DIR / "mail") as catcher:
        seconds = send(catcher)
        problems = check(catcher, editions)
    print(f"seconds               {seconds:.1f}")
    print(f"letters per second    {len(editions) / seconds:.0f}")
    for problem in problems:
        print(f"WRONG: {problem}")
    sys.exit(1 if problems else 0)


def set_up(corpus: Path, subscribers: int) -> dict[str, str]:
    """Creates articles and subscribers; returns each address's edition."""
    call_command("make_keys", verbosity=0)
    call_command("migrate", verbosity=0)
    call_command("createsuperuser", interactive=False, username="editor", email="e@example.org")
    for position, code in enumerate(TOPICS):
        Topic.objects.create(code=code, position=position, name_en=code)
    for code, languages in EDITIONS.items():
        Edition.objects.create(
            code=code,
            name=code.upper().replace("-", "/"),
            languages=languages,
            sender_name=f"Newsroom {code}",
            sender_address=f"{code}@newsroom.example",
            list_id=f"{code}.newsroom.example",
        )
    call_command("import_articles", str(corpus), spread_weeks=12, publish=True)
    editions = {
        f"reader{number}@example.org": "be-ru" if number % 5 < 2 else "en"
        for number in range(subscribers)
    }
    lines = ["email,edition", *(f"{address},{code}" for address, code in editions.items())]
    row = import_from_chunks(["\n".join(lines).encode()], None, timezone.now())
    dry_run.check_import(row.pk, timezone.now)
    row.refresh_from_db()
    apply.request_apply(row, None, timezone.now())
    apply.apply_import(row.pk, timezone.now)
    row.refresh_from_db()
    print(f"subscribers           {row.added} {dict(Counter(editions.values()))}")
    return editions


def send(catcher: Catcher) -> float:
    """Approves and launches; returns the seconds from launch to the last letter."""
    now = timezone.now()
    digest = build_digest(Week.last_full(now.date()))
    waiting = approval.approve(digest, None, now)
    print(f"digest                {digest}, {digest.entries.count()} articles")
    for mailing in waiting:
        size = len(bytes(mailing.variants.get().content))
        print(f"letter {mailing.edition!s:<15}{size / 1024:.1f} KB")
    procfile = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RELAY_URL": f"smtp://127.0.0.1:{catcher.smtp_port}",
    }
    os.chdir(ROOT)
    commands = {"worker": shlex.split(procfile["worker"])}
    with process_manager.running(commands, environment, VAR_DIR / "log") as processes:
        started = time.monotonic()
        for mailing in waiting:
            lifecycle.launch(mailing, timezone.now())
            enqueue_lanes(mailing)
        while digest.mailings.exclude(status="sent").exists():
            process_manager.check_all(processes)
            if time.monotonic() - started > SEND_TIMEOUT_SECONDS:
                break
            time.sleep(0.05)
        seconds = time.monotonic() - started
    for mailing in waiting:
        counts = lifecycle.ledger(mailing)
        print(f"ledger {mailing.edition!s:<15}{counts} balances: {counts.balances}")
    return seconds


def check(catcher: Catcher, editions: dict[str, str]) -> list[str]:
    """Every deviation from what was to be sent."""
    keys = sealing.worker_keys()
    owners = {row.pk: row.address(keys) for row in Subscriber.objects.all()}
    problems = []
    arrived: Counter[str] = Counter()
    found = set()
    for letter in catcher.letters:
        [recipient] = letter.recipients
        arrived[recipient] += 1
        [token] = set(re.findall(rb"/letter/([a-z2-7]{%d})/" % tokens.TOKEN_LENGTH, letter.raw))
        found.add(token)
        if owners[tokens.read_token(TokenKind.LETTER, token.decode()).row] != recipient:
            problems.append(f"{recipient} got somebody else's token")
        if letter.message["To"] != recipient:
            problems.append(f"{recipient} got a letter to {letter.message['To']}")
        if f"<{editions[recipient]}.newsroom.example>" not in letter.message["List-Id"]:
            problems.append(f"{recipient} got the wrong edition")
    if arrived != Counter(dict.fromkeys(editions, 1)):
        problems.append(
            f"{arrived.total()} letters to {len(arrived)} of {len(editions)} subscribers"
        )
    if len(found) != len(editions):
        problems.append(f"{len(found)} different tokens")
    print(f"arrived               {arrived.total()} letters, {len(found)} different tokens")
    if settings.RELAYS[0].host != "127.0.0.1":
        problems.append("RELAY_URL is not on this machine")
    return problems


if __name__ == "__main__":
    main()
