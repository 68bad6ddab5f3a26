"""The mail catcher, spoken to as a relay and looked at as a page."""

import http.client
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from demo.mail_catcher.catcher import Catcher, CatcherError
from demo.mail_catcher.smtp import CatchingHandler

SUBJECT = "Сітуацыя ў Беларусі: 13–19 студзеня"
PATIENCE = 10


@pytest.fixture
def catcher(tmp_path: Path) -> Iterator[Catcher]:
    with Catcher(tmp_path / "mail", page_port=0) as catcher:
        yield catcher


def a_letter(*, subject: str = SUBJECT, text: str = "Добры дзень!\n", html: str = "") -> bytes:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "letter@newsroom.example"
    message["To"] = "whoever@example.org"
    message.set_content(text, cte="8bit")
    if html:
        message.add_alternative(html, subtype="html", cte="8bit")
    return message.as_bytes().replace(b"\n", b"\r\n")


def send(catcher: Catcher, content: bytes, *recipients: str) -> None:
    with smtplib.SMTP("127.0.0.1", catcher.smtp_port, timeout=PATIENCE) as relay:
        relay.sendmail(
            "bounces@newsroom.example",
            list(recipients or ["reader@example.org"]),
            content,
            mail_options=["BODY=8BITMIME"],
        )


def get(catcher: Catcher, path: str, host: str = "localhost") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", catcher.page_port, timeout=PATIENCE)
    connection.request("GET", path, headers={"Host": host})
    return connection.getresponse()


def page(catcher: Catcher, path: str = "/") -> str:
    response = get(catcher, path)
    assert response.status == 200
    return response.read().decode()


# --- As a relay ------------------------------------------------------------------------


def test_a_letter_arrives_byte_for_byte_with_its_envelope(catcher: Catcher) -> None:
    content = a_letter()
    send(catcher, content, "one@example.org", "two@example.net")
    [letter] = catcher.letters
    assert letter.raw == content
    assert "Добры дзень!".encode() in letter.raw
    assert letter.sender == "bounces@newsroom.example"
    assert letter.recipients == ("one@example.org", "two@example.net")
    assert letter.subject == SUBJECT
    assert letter.message["Subject"] == SUBJECT
    assert letter.message.get_content() == "Добры дзень!\r\n"


def test_a_line_that_begins_with_a_dot_survives(catcher: Catcher) -> None:
    send(catcher, b"Subject: dots\r\n\r\n.one\r\n..two\r\n")
    assert catcher.letters[0].raw.endswith(b"\r\n.one\r\n..two\r\n")


def test_it_offers_8_bits_pipelining_and_a_limit_of_25_megabytes(catcher: Catcher) -> None:
    with smtplib.SMTP("127.0.0.1", catcher.smtp_port, timeout=PATIENCE) as relay:
        relay.ehlo()
        assert relay.has_extn("8bitmime")
        assert relay.has_extn("pipelining")
        assert relay.esmtp_features["size"] == str(25 * 1024 * 1024)
        code, _text = relay.docmd("MAIL FROM:<a@example.org> SIZE=26214401")
        assert code == 552


def test_commands_that_come_in_one_go_are_answered_one_by_one(catcher: Catcher) -> None:
    with socket.create_connection(("127.0.0.1", catcher.smtp_port), timeout=PATIENCE) as plain:
        answers = plain.makefile("rb")
        assert answers.readline().startswith(b"220")
        plain.sendall(b"HELO there\r\nMAIL FROM:<>\r\nRCPT TO:<reader@example.org>\r\nDATA\r\n")
        assert [answers.readline()[:3] for _ in range(4)] == [b"250", b"250", b"250", b"354"]
        plain.sendall(b"Subject: a bounce\r\n\r\n.\r\nQUIT\r\n")
        assert [answers.readline()[:3] for _ in range(2)] == [b"250", b"221"]
    assert [(one.sender, one.subject) for one in catcher.letters] == [("", "a bounce")]


def test_letters_stand_in_the_order_they_came_and_survive_a_restart(tmp_path: Path) -> None:
    with Catcher(tmp_path) as catcher:
        for number in range(5):
            send(catcher, a_letter(subject=f"Letter {number}"))
    with Catcher(tmp_path) as catcher:
        assert [one.subject for one in catcher.letters] == [f"Letter {n}" for n in range(5)]


def test_only_the_owner_can_read_the_letters(catcher: Catcher) -> None:
    send(catcher, a_letter())
    assert catcher.box.folder.stat().st_mode & 0o077 == 0
    assert catcher.letters[0].path.stat().st_mode & 0o077 == 0


def test_a_failing_disk_is_answered_452_and_leaves_nothing(
    catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        send(catcher, a_letter())
    assert refusal.value.smtp_code == 452
    assert catcher.letters == []
    assert list(catcher.box.folder.iterdir()) == []


def test_an_unusable_folder_is_answered_452_until_it_works_again(
    catcher: Catcher, tmp_path: Path
) -> None:
    (tmp_path / "mail").rename(tmp_path / "away")
    (tmp_path / "mail").write_text("a file in the folder's place")
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        send(catcher, a_letter())
    assert refusal.value.smtp_code == 452
    (tmp_path / "mail").unlink()
    send(catcher, a_letter())
    assert len(catcher.letters) == 1


def test_a_handler_can_simulate_faults(tmp_path: Path) -> None:
    class KnowsNobody(CatchingHandler):
        async def handle_RCPT(  # type: ignore[no-untyped-def]
            self, server, session, envelope, address, options
        ) -> str:
            return "550 5.1.1 No such user"

    with Catcher(tmp_path, handler=KnowsNobody) as catcher:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(catcher, a_letter())
        assert catcher.letters == []


# --- Starting and ending ---------------------------------------------------------------


def test_a_folder_that_is_a_file_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("")
    with pytest.raises(CatcherError, match=r"mail.*--directory"):
        Catcher(tmp_path / "mail").start()


@pytest.mark.parametrize("option", ["smtp_port", "page_port"])
def test_a_taken_port_is_named_with_its_option(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports: dict[str, int] = {"smtp_port": 0, "page_port": 0, option: port}
        named = f"{port}.*--{option.replace('_', '-')}"
        with pytest.raises(CatcherError, match=named):
            Catcher(tmp_path, **ports).start()  # type: ignore[arg-type]


def test_the_command_ends_with_1_and_says_which_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [*COMMAND, "--smtp-port", str(port), "--directory", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert f"Port {port} of 127.0.0.1 cannot be opened: Address already in use" in ended.stderr
    assert "--smtp-port" in ended.stderr
    assert "Traceback" not in ended.stderr


COMMAND = [sys.executable, "-m", "demo.mail_catcher"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_even_while_somebody_is_connected(
    tmp_path: Path, how: signal.Signals
) -> None:
    command = [*COMMAND, "--smtp-port", "0", "--page-port", "0", "--directory", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        port = int(said.partition("smtp://127.0.0.1:")[2].partition(",")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain:
            assert plain.recv(3) == b"220"
            process.send_signal(how)
            assert process.wait(timeout=5) == 0


# --- As a page -------------------------------------------------------------------------


def test_the_page_lists_what_was_caught_newest_first(catcher: Catcher) -> None:
    assert "Nothing has been caught yet." in page(catcher)
    send(catcher, a_letter(subject="The first"))
    send(catcher, a_letter(subject="The second"), "one@example.org", "two@example.org", "3@x.org")
    shown = page(catcher)
    assert shown.index("The second") < shown.index("The first")
    assert "one@example.org and 2 more" in shown


def test_of_very_many_the_newest_are_listed(
    catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.mail_catcher.page.MAX_LISTED", 2)
    for number in range(3):
        send(catcher, a_letter(subject=f"Number {number}."))
    shown = page(catcher)
    assert "Number 2." in shown
    assert "Number 1." in shown
    assert "Number 0." not in shown
    assert "3 letters; these are the newest." in shown


def test_what_a_letter_says_is_escaped_everywhere(catcher: Catcher) -> None:
    evil = "<script>alert(1)</script>"
    send(
        catcher,
        a_letter(subject=evil, text=evil, html=f"<p>{evil}</p>"),
        '"<script>alert(1)</script>"@example.org',
    )
    path = f"/letters/{catcher.letters[0].name}"
    assert evil not in page(catcher)
    assert evil not in page(catcher, path)
    assert "&lt;script&gt;alert(1)" in page(catcher, path)
    for plain in ("text", "source"):
        answer = get(catcher, f"{path}/{plain}")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_html_stands_in_a_frame_that_runs_and_loads_nothing(catcher: Catcher) -> None:
    html = '<!doctype html><head lang="be"></head><a href="https://x.example/">Чытаць</a>'
    send(catcher, a_letter(html=html))
    path = f"/letters/{catcher.letters[0].name}"
    assert f'src="{path}/html" sandbox="allow-popups ' in page(catcher, path)
    response = get(catcher, f"{path}/html")
    policy = response.headers["Content-Security-Policy"]
    assert "sandbox allow-popups" in policy
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy
    framed = response.read().decode()
    assert '<head lang="be"><base target="_blank">' in framed
    assert "Чытаць" in framed


@pytest.mark.parametrize(
    "broken",
    [
        b"no header at all, and no end of line",
        b"\r\n",
        b"Subject: =?utf-8?b?broken?= \xff\xfe\r\nContent-Type: text/plain; charset=nonsense"
        b"\r\n\r\nstill \xffreadable\r\n",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary\r\n",
        b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Type: text/html\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!!\r\n",
        b"To: <\r\nFrom: @@\r\nDate: never\r\nContent-Type: ;;;\r\n\r\n\x00\x01\r\n",
        b"X-Envelope-To: forged@example.org\r\nX-Caught-At: never\r\n\r\nforged\r\n",
    ],
)
def test_a_malformed_letter_is_kept_and_shown(catcher: Catcher, broken: bytes) -> None:
    send(catcher, broken)
    [letter] = catcher.letters
    assert letter.raw.rstrip(b"\r\n") == broken.rstrip(b"\r\n")
    assert letter.recipients == ("reader@example.org",)
    assert letter.name in page(catcher)
    for view in ("", "/html", "/text"):
        page(catcher, f"/letters/{letter.name}{view}")
    source = page(catcher, f"/letters/{letter.name}/source")
    assert source.rstrip() == broken.decode("utf-8", "replace").rstrip()


@pytest.mark.parametrize("path", ["/nothing", "/letters/nothing", "/letters/..%2f..%2fetc/source"])
def test_what_is_not_there_is_a_404(catcher: Catcher, path: str) -> None:
    assert get(catcher, path).status == 404


def test_a_letter_that_was_removed_by_hand_is_gone_from_the_page(catcher: Catcher) -> None:
    send(catcher, a_letter())
    letter = catcher.letters[0]
    assert letter.name in page(catcher)
    letter.path.unlink()
    assert letter.name not in page(catcher)
    assert get(catcher, f"/letters/{letter.name}").status == 404


def test_a_foreign_name_that_leads_here_is_refused(catcher: Catcher) -> None:
    for host in ("localhost", "localhost:8001", "127.0.0.1:8001"):
        assert get(catcher, "/", host=host).status == 200
    for host in ("attacker.example", "127.0.0.1.attacker.example", "", "localhost:8001@x.example"):
        assert get(catcher, "/", host=host).status == 403
