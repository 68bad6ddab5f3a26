"""`python -m newsroom.mailcatcher`: runs until it is told to end."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from newsroom.mailcatcher import BadFolder, Catcher, PortTaken

HIGHEST_PORT = 65_535


class Ended(Exception):
    """SIGTERM or SIGINT came."""


def port(text: str) -> int:
    """A port's number; 0 is any free one."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no port. Write a whole number from 0 to {HIGHEST_PORT}."
        )
    return number


def read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Ends the program with 2 and says why if they make no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m newsroom.mailcatcher",
        description="Takes every letter by SMTP, hands none on, and shows them on a page.",
    )
    parser.add_argument("--smtp-port", type=port, default=8002, help="default: %(default)s")
    parser.add_argument("--page-port", type=port, default=8001, help="default: %(default)s")
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path("var/mail"),
        help="a Maildir that keeps the letters; default: %(default)s",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen on; 0.0.0.0 within a container; default: %(default)s",
    )
    return parser.parse_args(arguments)


def end(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Turns a signal into an exception, which no moment can miss."""
    raise Ended


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 1 if it could not start."""
    chosen = read_arguments(arguments)
    catcher = Catcher(
        chosen.directory,
        host=chosen.host,
        smtp_port=chosen.smtp_port,
        page_port=chosen.page_port,
    )
    try:
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        with catcher:
            print(
                f"Catching letters at smtp://{catcher.host}:{catcher.smtp_port}, "
                f"showing them at {catcher.page_url}",
                flush=True,
            )
            while True:
                signal.pause()
    except Ended:
        return 0
    except (BadFolder, PortTaken) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
