"""`python -m demo.mail_catcher`: runs until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from demo.mail_catcher.catcher import Catcher, CatcherError

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def main() -> int:
    """Returns the exit status: 1 if it could not start."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.mail_catcher",
        description="Takes every letter by SMTP, hands none on, and shows them on a page.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--smtp-port", type=int, default=8002, help="0 for any free one")
    parser.add_argument("--page-port", type=int, default=8001, help="0 for any free one")
    parser.add_argument("--directory", type=Path, default=Path("var/mail"), help="for the letters")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 within a container")
    chosen = parser.parse_args()
    # Blocked before any thread starts, for sigwait below.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        with Catcher(
            chosen.directory,
            host=chosen.host,
            smtp_port=chosen.smtp_port,
            page_port=chosen.page_port,
        ) as catcher:
            print(
                f"Catching letters at smtp://{catcher.host}:{catcher.smtp_port}, "
                f"showing them at http://{catcher.host}:{catcher.page_port}/",
                flush=True,
            )
            signal.sigwait(STOP_SIGNALS)
    except CatcherError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
