"""A relay that cannot prove who it is gets neither letter nor password, and the cause is named."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django.fixtures import Settings

from newsletter.delivery.relays import failover
from newsletter.delivery.relays.config import Relay
from newsletter.delivery.smtp import handshake
from newsletter.models import MailingStatus
from tests.newsletter import bad_relays as bad
from tests.newsletter.conftest import Against
from tests.newsletter.delivery.lane_batches import launched, turn

pytestmark = pytest.mark.django_db
READERS = 2
DAY = dt.timedelta(days=1)
SCHEMES = pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
LOG_IN = "newsroom:secret@"


class Authority:
    """Signs certificates."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self.sign(self.name, self.key, is_authority=True)

    def sign(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        host: str = "",
        starts: dt.timedelta = -DAY,
        ends: dt.timedelta = DAY,
        is_authority: bool = False,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        ours = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        theirs = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        constraints = x509.BasicConstraints(ca=is_authority, path_length=None)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + starts)
            .not_valid_after(now + ends)
            .add_extension(constraints, critical=True)
            .add_extension(ours, critical=False)
            .add_extension(theirs, critical=False)
        )
        if host:
            names = [x509.IPAddress(ipaddress.ip_address(host))] if host[0].isdigit() else []
            named = x509.SubjectAlternativeName(names or [x509.DNSName(host)])
            builder = builder.add_extension(named, critical=False)
        return builder.sign(self.key, hashes.SHA256())


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """An authority that this machine trusts, as it would one of the system's."""
    authority = Authority("An authority")
    file = tmp_path / "authorities.pem"
    file.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    handshake.tls_context.cache_clear()
    yield authority
    handshake.tls_context.cache_clear()


def shows(
    folder: Path, authority: Authority | None, host: str = "127.0.0.1", **about: dt.timedelta
) -> ssl.SSLContext:
    """A relay's side of TLS, with a certificate; self-signed without an authority."""
    signer = authority or Authority("Nobody's")
    if authority is None:
        key = signer.key
        certificate = signer.sign(signer.name, key, host=host, **about)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A relay")])
        certificate = signer.sign(name, key, host=host, **about)
    pem, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file = folder / "relay.pem"
    file.write_bytes(
        key.private_bytes(pem, plain, serialization.NoEncryption()) + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


class LogsIn(bad.CorrectRelay):
    """Takes whatever password it is told."""

    def on_ehlo(self, name: str) -> None:
        is_safe = isinstance(self.request, ssl.SSLSocket)
        self.offers = (*bad.CorrectRelay.offers, *(("AUTH PLAIN",) if is_safe else ()))
        super().on_ehlo(name)

    def on_auth(self, _rest: str) -> None:
        self.send_reply("235 2.7.0 in")


@SCHEMES
def test_a_relay_with_a_good_certificate_gets_password_and_letters(
    against: Against, trusted: Authority, tmp_path: Path, scheme: str
) -> None:
    server = against(LogsIn, scheme=scheme, tls=shows(tmp_path, trusted), log_in=LOG_IN)
    mailing = launched(READERS)
    assert turn(mailing).sent == READERS
    assert "AUTH" in server.commands


@SCHEMES
@pytest.mark.parametrize(
    ("flaw", "cause"),
    [
        ({"starts": -2 * DAY, "ends": -DAY}, "its certificate has expired"),
        ({"starts": DAY, "ends": 2 * DAY}, "its certificate is not valid yet"),
        ({"host": "192.0.2.1"}, "its certificate is for another address"),
    ],
)
def test_a_certificate_that_proves_nothing_pauses_the_mailing_and_is_named(
    against: Against,
    trusted: Authority,
    tmp_path: Path,
    scheme: str,
    flaw: dict[str, Any],
    cause: str,
) -> None:
    tls = shows(tmp_path, trusted, **flaw)
    server = against(LogsIn, scheme=scheme, tls=tls, log_in=LOG_IN)
    refused(server, cause)


@SCHEMES
def test_a_certificate_for_another_host_is_named(
    against: Against,
    trusted: Authority,
    tmp_path: Path,
    scheme: str,
    settings: Settings,
) -> None:
    tls = shows(tmp_path, trusted, host="relay.example.net")
    server = against(LogsIn, scheme=scheme, tls=tls)
    settings.RELAYS = (server.relay(LOG_IN, host="localhost"),)
    refused(server, "its certificate is for another host", host="localhost")


@SCHEMES
def test_a_self_signed_certificate_is_named(
    against: Against, trusted: Authority, tmp_path: Path, scheme: str
) -> None:
    server = against(LogsIn, scheme=scheme, tls=shows(tmp_path, None), log_in=LOG_IN)
    refused(server, "its certificate is self-signed")


@SCHEMES
def test_a_certificate_of_an_authority_that_nobody_trusts_is_named(
    against: Against, trusted: Authority, tmp_path: Path, scheme: str
) -> None:
    tls = shows(tmp_path, Authority("Somebody's"))
    server = against(LogsIn, scheme=scheme, tls=tls, log_in=LOG_IN)
    refused(server, "its certificate is signed by nobody who is trusted here")


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (bad.OffersNoStartTls, "does not offer STARTTLS, which RELAY_URL demands"),
        (bad.RefusesStartTls, "refuses STARTTLS (502 5.5.1)"),
    ],
)
def test_a_relay_without_starttls_gets_nothing_in_clear(
    against: Against, trusted: Authority, tmp_path: Path, kind: type[bad.CorrectRelay], cause: str
) -> None:
    tls = shows(tmp_path, trusted)
    refused(against(kind, scheme="smtp+starttls", tls=tls, log_in=LOG_IN), cause)


def test_where_another_relay_proves_who_it_is_the_letters_take_that_one(
    against: Against, settings: Settings, trusted: Authority, tmp_path: Path
) -> None:
    good = against(LogsIn, scheme="smtps", tls=shows(tmp_path, trusted))
    expired = against(
        LogsIn, scheme="smtps", tls=shows(tmp_path, trusted, starts=-2 * DAY, ends=-DAY)
    )
    settings.RELAYS = (expired.relay(LOG_IN), good.relay(LOG_IN))
    mailing = launched(READERS)
    assert turn(mailing).still_to_send == READERS
    assert mailing.status == MailingStatus.SENDING
    assert turn(mailing).sent == READERS
    assert failover.get_state(expired.relay()).cause == "its certificate has expired"
    assert expired.accepted == []


def refused(server: bad.BadRelay, cause: str, host: str = "127.0.0.1") -> None:
    """The mailing pauses and says why, and the relay has heard nothing but a greeting."""
    mailing = launched(READERS)
    counts = turn(mailing)
    assert (counts.still_to_send, counts.uncertain) == (READERS, 0)
    assert mailing.status == MailingStatus.PAUSED
    assert mailing.pause_reason == f"{server.relay(host=host)}: {cause}"
    assert set(server.commands) <= {"EHLO", "STARTTLS"}


def test_an_answer_planted_before_the_encryption_is_not_taken_for_the_relays(
    against: Against, trusted: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tls = shows(tmp_path, trusted)
    server = against(bad.PlantsAnAnswer, scheme="smtp+starttls", tls=tls, log_in=LOG_IN)
    assert turn(launched(READERS)).still_to_send == READERS
    assert "answers without having been asked" in caplog.text
    assert set(server.commands) <= {"EHLO", "STARTTLS"}


def test_a_relay_that_speaks_no_tls_on_its_port_is_named(
    against: Against, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    port = against(bad.CorrectRelay).relay().port
    settings.RELAYS = (Relay.parse(f"smtps://{LOG_IN}127.0.0.1:{port}"),)
    assert turn(launched(READERS)).still_to_send == READERS
    assert "fails at TLS (wrong version number)" in caplog.text
