"""Which addresses are one mailbox. For counting alone: nobody is ever written to by this form.

A provider that is not in the table has no rule but the tag's: what comes after a plus (RFC 5233)
belongs to the same mailbox nearly everywhere. One rule too many would count two people as one,
who then wait for each other; one too few lets somebody have more confirmations.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

TAG = "+"


@dataclass(frozen=True)
class Rule:
    """What a provider does with an address before it delivers."""

    ignores: str = ""
    """Characters before the @ that make no difference."""
    hyphen: str = ""
    """What stands for a hyphen too."""
    tag: str = TAG
    """Characters that each begin a tag."""
    also: tuple[str, ...] = ()
    """Other domains whose every mailbox is the one of the same name here."""
    by_subdomain: bool = False
    """What stands before the domain is the mailbox: anything@mailbox.example.org."""


RULES = {
    # Google Account Help, "Dots don't matter in Gmail addresses"; googlemail.com is the old name.
    "gmail.com": Rule(ignores=".", also=("googlemail.com",)),
    # Yahoo Help, "Disposable email addresses": a base name, a hyphen and a keyword. No name that
    # is not one has a hyphen.
    **{
        domain: Rule(tag="+-")
        for domain in ("yahoo.com", "ymail.com", "rocketmail.com", "yahoo.co.uk", "yahoo.de")
    },
    # Yandex ID Help, "Username": a dot and a hyphen are the same; Yandex Mail Help, "Aliases": a
    # mailbox is reached at all of these domains.
    "yandex.ru": Rule(
        hyphen=".",
        also=("ya.ru", "yandex.by", "yandex.com", "yandex.kz", "yandex.ua", "yandex.com.tr"),
    ),
    # Proton Support, "Addresses and aliases": dots, hyphens and underscores are ignored, and one
    # name is one account at all of its domains.
    "proton.me": Rule(ignores=".-_", also=("protonmail.com", "pm.me", "protonmail.ch")),
    # Apple Support, "@icloud.com, @me.com and @mac.com": whoever has the older ones has the newer.
    "icloud.com": Rule(also=("me.com", "mac.com")),
    # Fastmail Help, "Plus addressing and subdomain addressing".
    "fastmail.com": Rule(by_subdomain=True),
    "fastmail.fm": Rule(by_subdomain=True),
}
NOT_LISTED = Rule()
MAIN = {other: domain for domain, rule in RULES.items() for other in rule.also}


def canonical(address: str) -> str:
    """One form of all addresses that lead into a mailbox. `address` is in its normal form."""
    local, _, domain = address.rpartition("@")
    domain = MAIN.get(domain, domain)
    before, _, parent = domain.partition(".")
    if parent in RULES and RULES[parent].by_subdomain:
        return f"{before}@{parent}"
    rule = RULES.get(domain, NOT_LISTED)
    for mark in rule.tag:
        # What begins with the mark is no tag of nothing.
        local = local[:1] + local[1:].partition(mark)[0]
    plain = "".join(letter for letter in local if letter not in rule.ignores) or local
    for letter in rule.hyphen:
        plain = plain.replace(letter, "-")
    return f"{plain}@{domain}"


def server_of(address: str) -> str:
    """Who gets what is mailed there: a provider's code, or the domain of one that is not listed."""
    domain = canonical(address).rpartition("@")[2]
    return str(settings.PROVIDERS.get(domain, domain))
