"""Rate limits of password attempts that let no stranger lock an account.

An account as a whole is never locked. Wrong passwords make a client wait, exponentially longer:

- **A browser that has logged in to the account before** (`staff.known_devices`) has a count of its
  own.
- **Any other** is counted by network and account, and by network alone.
- **Once an account has GUESSING_THRESHOLD wrong passwords**, each wider network has one attempt a
  day, which bounds a distributed attack.

The counts are in the cache for a day, under keyed hashes (`staff.rate_limit_keys`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from allauth.core.internal.ratelimit import cache_lock
from django.core.cache import cache

COUNT_TTL = dt.timedelta(days=1)
GUESSING_THRESHOLD = 30
"""Wrong passwords for one account from unknown browsers: more than its owner mistypes."""


@dataclass(frozen=True)
class BackoffRule:
    """So many wrong passwords are free; each further one doubles the wait."""

    free_attempts: int
    initial_wait: dt.timedelta
    max_wait: dt.timedelta

    def wait_after(self, failures: int) -> dt.timedelta:
        """The wait after so many failures."""
        if failures < self.free_attempts:
            return dt.timedelta()
        # Bounded, since the power would overflow a timedelta.
        doubled: dt.timedelta = self.initial_wait * 2 ** min(failures - self.free_attempts, 20)
        return min(doubled, self.max_wait)


ACCOUNT_RULE = BackoffRule(5, dt.timedelta(minutes=1), dt.timedelta(hours=1))
"""Per known browser, or per network and account."""
NETWORK_RULE = BackoffRule(10, dt.timedelta(minutes=1), dt.timedelta(hours=1))
"""Per network, for all accounts."""
GUESSED_ACCOUNT_RULE = BackoffRule(1, dt.timedelta(days=1), dt.timedelta(days=1))
"""Per wider network, for an account above the threshold."""


@dataclass(frozen=True)
class FailureCounter:
    """A count of failures in the cache."""

    key: str
    rule: BackoffRule

    def begin(self, now: dt.datetime) -> dt.timedelta:
        """Counts an attempt as a failure in advance, against concurrent attempts.

        Returns the time to wait if it is too early; then nothing is counted.
        """
        with cache_lock(self.key) as is_locked:
            if not is_locked:
                return dt.timedelta(seconds=1)
            failures, last = cache.get(self.key, (0, 0.0))
            elapsed = dt.timedelta(seconds=now.timestamp() - last)
            wait = self.rule.wait_after(failures) - elapsed
            if failures and wait > dt.timedelta():
                return wait
            cache.set(self.key, (failures + 1, now.timestamp()), COUNT_TTL.total_seconds())
            return dt.timedelta()

    def undo(self) -> None:
        """The attempt succeeded, or was not made."""
        with cache_lock(self.key):
            failures, last = cache.get(self.key, (0, 0.0))
            cache.set(self.key, (max(failures - 1, 0), last), COUNT_TTL.total_seconds())


@dataclass(frozen=True)
class LoginAttempt:
    """A password about to be checked; not while `wait` is positive."""

    account: str
    """A keyed hash of the user name."""
    counters: tuple[FailureCounter, ...]
    is_known: bool
    wait: dt.timedelta = dt.timedelta()

    def succeeded(self) -> None:
        """The password was right."""
        for counter in self.counters:
            counter.undo()

    def failed(self) -> bool:
        """True for the failure with which the account reaches GUESSING_THRESHOLD."""
        if self.is_known:
            return False
        key = _guesses(self.account)
        with cache_lock(key):
            guesses, unreported = cache.get(key, (0, 0))
            cache.set(key, (guesses + 1, unreported + 1), COUNT_TTL.total_seconds())
        return bool(guesses + 1 == GUESSING_THRESHOLD)


def begin_attempt(
    account: str, *, device: str, network: str, wide_network: str, now: dt.datetime
) -> LoginAttempt:
    """Counts an attempt. All keys are hashes; `device` is empty for an unknown browser."""
    if device:
        counters = [FailureCounter(f"login:device:{device}", ACCOUNT_RULE)]
    else:
        counters = [
            FailureCounter(f"login:here:{network}:{account}", ACCOUNT_RULE),
            FailureCounter(f"login:network:{network}", NETWORK_RULE),
        ]
        if guess_count(account) >= GUESSING_THRESHOLD:
            counters.append(
                FailureCounter(f"login:wide:{wide_network}:{account}", GUESSED_ACCOUNT_RULE)
            )
    for position, counter in enumerate(counters):
        wait = counter.begin(now)
        if wait:
            for counted in counters[:position]:
                counted.undo()
            return LoginAttempt(account, (), bool(device), wait)
    return LoginAttempt(account, tuple(counters), bool(device))


def guess_count(account: str) -> int:
    """Wrong passwords from unknown browsers; expires a day after the last one."""
    guesses, _unreported = cache.get(_guesses(account), (0, 0))
    return int(guesses)


def pop_unreported(account: str) -> int:
    """How many the owner has not been told of yet; resets the count."""
    key = _guesses(account)
    with cache_lock(key):
        guesses, unreported = cache.get(key, (0, 0))
        if unreported:
            cache.set(key, (guesses, 0), COUNT_TTL.total_seconds())
    return int(unreported)


def _guesses(account: str) -> str:
    return f"login:guesses:{account}"
