"""gunicorn's process with threads, which leaves the others their share of the connections."""

from __future__ import annotations

import os
import socket

from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):
    """Gives way to the other processes before it takes a connection that has to wait here.

    gunicorn's own takes as many as come. Whichever process wakes first then often has all of a
    burst, and keeps them, since browsers and proxies leave connections open: they wait for its
    threads while the other process has nothing to do.

    It takes them nevertheless if nobody else does, so that whoever came first is answered first.
    """

    def accept(self, listener: socket.socket) -> None:
        waiting = len(self.keepalived_conns) + len(self.pending_conns)
        if self.nr_conns - waiting >= int(self.cfg.threads):
            os.sched_yield()
        super().accept(listener)
