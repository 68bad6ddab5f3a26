"""How guesses at passwords are slowed down, so that no stranger can shut an account.

Nothing here refuses an account as a whole. Who guesses wrongly waits, longer each time: the network
that the guesses come from, and the browser where it is known.

- **A browser that has logged in to the account before** (`staff.known_devices`) is counted by
  itself. Whatever strangers do, it is asked for the password as ever.
- **Any other** is counted by its network for this account, and by its network for all accounts.
- **An account that is being guessed at**, from however many networks, gives each wider network one
  wrong guess a day. That bounds a crowd of them: so many guesses a day as it has networks.

The counts are kept under keyed hashes, a client's daily (`staff.rate_limit_keys`), for a day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from allauth.core.internal.ratelimit import cache_lock
from django.core.cache import cache

KEPT = dt.timedelta(days=1)
ATTACKED_AFTER = 30
"""Wrong passwords for one account from unknown browsers in a day: more than its owner mistypes."""


@dataclass(frozen=True)
class Rule:
    """So many wrong passwords in a row are free; each one more doubles the wait."""

    free: int
    first_wait: dt.timedelta
    longest_wait: dt.timedelta

    def wait_after(self, failures: int) -> dt.timedelta:
        """How long after that many. Pure."""
        if failures < self.free:
            return dt.timedelta()
        # Beyond a few doublings it is the longest anyway.
        doubled: dt.timedelta = self.first_wait * 2 ** min(failures - self.free, 20)
        return min(doubled, self.longest_wait)


FOR_ACCOUNT = Rule(5, dt.timedelta(minutes=1), dt.timedelta(hours=1))
"""One browser or one network at one account."""
FOR_ALL_ACCOUNTS = Rule(10, dt.timedelta(minutes=1), dt.timedelta(hours=1))
"""One network at whatever accounts."""
WHILE_ATTACKED = Rule(1, dt.timedelta(days=1), dt.timedelta(days=1))
"""One wider network at an account that is being guessed at."""


@dataclass(frozen=True)
class Counter:
    """One row of failures in the cache."""

    key: str
    rule: Rule

    def begin(self, now: dt.datetime) -> dt.timedelta:
        """Counts an attempt as a failure before it is made, so that no two slip through at once.

        Returns how long to wait instead, where it is too early; then nothing is counted.
        """
        with cache_lock(self.key) as is_locked:
            if not is_locked:
                return dt.timedelta(seconds=1)
            failures, last = cache.get(self.key, (0, 0.0))
            elapsed = dt.timedelta(seconds=now.timestamp() - last)
            wait = self.rule.wait_after(failures) - elapsed
            if failures and wait > dt.timedelta():
                return wait
            cache.set(self.key, (failures + 1, now.timestamp()), KEPT.total_seconds())
            return dt.timedelta()

    def take_back(self) -> None:
        """It was no failure, or was not made."""
        with cache_lock(self.key):
            failures, last = cache.get(self.key, (0, 0.0))
            cache.set(self.key, (max(failures - 1, 0), last), KEPT.total_seconds())


@dataclass(frozen=True)
class Attempt:
    """A password about to be tried. `wait` says that it must not be, and for how long."""

    account: str
    """A keyed hash of the name that was typed."""
    counters: tuple[Counter, ...]
    is_known: bool
    wait: dt.timedelta = dt.timedelta()

    def succeeded(self) -> None:
        """The password was right."""
        for counter in self.counters:
            counter.take_back()

    def failed(self) -> bool:
        """Whether it is with this one that the account counts as being guessed at."""
        if self.is_known:
            return False
        key = _guesses(self.account)
        with cache_lock(key):
            guesses, untold = cache.get(key, (0, 0))
            cache.set(key, (guesses + 1, untold + 1), KEPT.total_seconds())
        return bool(guesses + 1 == ATTACKED_AFTER)


def begin(
    account: str, *, device: str, network: str, wide_network: str, now: dt.datetime
) -> Attempt:
    """Counts an attempt. All names are keyed hashes; `device` is empty for an unknown browser."""
    if device:
        counters = [Counter(f"login:device:{device}", FOR_ACCOUNT)]
    else:
        counters = [
            Counter(f"login:here:{network}:{account}", FOR_ACCOUNT),
            Counter(f"login:network:{network}", FOR_ALL_ACCOUNTS),
        ]
        if guesses_at(account) >= ATTACKED_AFTER:
            counters.append(Counter(f"login:wide:{wide_network}:{account}", WHILE_ATTACKED))
    for place, counter in enumerate(counters):
        wait = counter.begin(now)
        if wait:
            for begun in counters[:place]:
                begun.take_back()
            return Attempt(account, (), bool(device), wait)
    return Attempt(account, tuple(counters), bool(device))


def guesses_at(account: str) -> int:
    """Wrong passwords from unknown browsers, until a day has passed without one."""
    guesses, _untold = cache.get(_guesses(account), (0, 0))
    return int(guesses)


def pop_unreported(account: str) -> int:
    """How many of them the owner has not been told of, who now is."""
    key = _guesses(account)
    with cache_lock(key):
        guesses, untold = cache.get(key, (0, 0))
        if untold:
            cache.set(key, (guesses, 0), KEPT.total_seconds())
    return int(untold)


def _guesses(account: str) -> str:
    return f"login:guesses:{account}"
