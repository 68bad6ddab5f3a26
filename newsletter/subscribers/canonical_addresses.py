"""Which addresses lead into one mailbox. For rate limits alone: no mail is sent to this form.

A provider that is not in the table has subaddressing only (RFC 5233): what follows a plus belongs
to the same mailbox nearly everywhere. One rule too many counts two people as one; one too few
allows a mailbox more confirmations.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

SUBADDRESS_SEPARATOR = "+"


@dataclass(frozen=True)
class ProviderRule:
    """How a provider normalises an address before it delivers."""

    ignored_characters: str = ""
    """Characters of the local part that make no difference."""
    hyphen_equivalents: str = ""
    """Characters that stand for a hyphen."""
    separators: str = SUBADDRESS_SEPARATOR
    """Characters that each begin a subaddress."""
    alias_domains: tuple[str, ...] = ()
    """Other domains with the same mailboxes."""
    subdomain_addressing: bool = False
    """The subdomain is the mailbox: anything@mailbox.example.org."""


PROVIDER_RULES = {
    # Google Account Help, "Dots don't matter in Gmail addresses"; googlemail.com is the old name.
    "gmail.com": ProviderRule(ignored_characters=".", alias_domains=("googlemail.com",)),
    # Yahoo Help, "Disposable email addresses": a base name, a hyphen and a keyword. No other name
    # has a hyphen.
    **{
        domain: ProviderRule(separators="+-")
        for domain in ("yahoo.com", "ymail.com", "rocketmail.com", "yahoo.co.uk", "yahoo.de")
    },
    # Yandex ID Help, "Username": a dot and a hyphen are the same; Yandex Mail Help, "Aliases": a
    # mailbox is reached at all of these domains.
    "yandex.ru": ProviderRule(
        hyphen_equivalents=".",
        alias_domains=(
            *("ya.ru", "yandex.by", "yandex.com", "yandex.kz", "yandex.ua", "yandex.com.tr"),
        ),
    ),
    # Proton Support, "Addresses and aliases": dots, hyphens and underscores are ignored, and one
    # name is one account at all of its domains.
    "proton.me": ProviderRule(
        ignored_characters=".-_", alias_domains=("protonmail.com", "pm.me", "protonmail.ch")
    ),
    # Apple Support, "@icloud.com, @me.com and @mac.com": whoever has the older ones has the newer.
    "icloud.com": ProviderRule(alias_domains=("me.com", "mac.com")),
    # Fastmail Help, "Plus addressing and subdomain addressing".
    "fastmail.com": ProviderRule(subdomain_addressing=True),
    "fastmail.fm": ProviderRule(subdomain_addressing=True),
}
DEFAULT_RULE = ProviderRule()
CANONICAL_DOMAINS = {
    other: domain for domain, rule in PROVIDER_RULES.items() for other in rule.alias_domains
}


def canonical_address(address: str) -> str:
    """One form of all addresses of a mailbox. `address` is normalised."""
    local, _, domain = address.rpartition("@")
    domain = CANONICAL_DOMAINS.get(domain, domain)
    before, _, parent = domain.partition(".")
    if parent in PROVIDER_RULES and PROVIDER_RULES[parent].subdomain_addressing:
        return f"{before}@{parent}"
    rule = PROVIDER_RULES.get(domain, DEFAULT_RULE)
    for separator in rule.separators:
        # A leading separator begins no subaddress.
        local = local[:1] + local[1:].partition(separator)[0]
    mailbox = "".join(one for one in local if one not in rule.ignored_characters) or local
    for character in rule.hyphen_equivalents:
        mailbox = mailbox.replace(character, "-")
    return f"{mailbox}@{domain}"


def provider_or_domain(address: str) -> str:
    """The provider's code, or the domain where the provider is not listed."""
    domain = canonical_address(address).rpartition("@")[2]
    return str(settings.PROVIDERS.get(domain, domain))
