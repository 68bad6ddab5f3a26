"""The web process's threads: a connection goes to whichever process has one that is free."""

from __future__ import annotations

import socket

from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):
    """Takes no connection while all of its threads are at work.

    gunicorn's own takes as many as come. Whichever process wakes first then has them all, and
    keeps them, since browsers and proxies leave connections open: they wait for its threads while
    the other process has nothing to do.
    """

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """The loop asks for it again after each request that is done."""
        super().set_accept_enabled(bool(enabled) and self._has_free_thread())

    def accept(self, listener: socket.socket) -> None:
        """One connection, and then no other unless there is a thread for it."""
        super().accept(listener)
        self.set_accept_enabled(True)

    def _has_free_thread(self) -> bool:
        waiting = len(self.keepalived_conns) + len(self.pending_conns)
        return self.nr_conns - waiting < int(self.cfg.threads)
