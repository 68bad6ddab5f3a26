"""Mails of many forms, written for these tests. `{to}` is where they come to, `{said}` what they
quote of the letter."""

from __future__ import annotations

from email.message import EmailMessage

RETURNED = (
    "Return-Path: <{to}>\nFrom: The newsroom <en@newsroom.example>\nTo: reader@example.org\n"
    "Subject: Situation in Belarus\nMessage-ID: <{message}@newsroom.example>\n"
    "List-Unsubscribe: <https://site.example/en/letter/{letter}/>\n\n"
    "The site is blocked, and a user unknown to the police was detained. Spam, quota, policy.\n"
)


def dsn(
    *,
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "smtp; 550 5.1.1 <reader@example.org>: user unknown",
    said: str = "Your letter could not be delivered.",
    subject: str = "Undelivered Mail Returned to Sender",
    **headers: str,
) -> str:
    """RFC 3464, as Postfix writes it."""
    more = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    return (
        "From: MAILER-DAEMON@mx.example.net (Mail Delivery System)\n"
        f"To: {{to}}\nSubject: {subject}\nAuto-Submitted: auto-replied\n{more}MIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="cut"\n\n'
        f"--cut\nContent-Type: text/plain; charset=utf-8\n\n{said}\n\n"
        "--cut\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; mx.example.net\nArrival-Date: Mon, 23 Nov 2026 09:00:00 +0000\n\n"
        f"Final-Recipient: rfc822; reader@example.org\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: {diagnostic}\n\n"
        f"--cut\nContent-Type: message/rfc822\n\n{RETURNED}\n--cut--\n"
    )


def plain(
    subject: str, text: str, sender: str = "MAILER-DAEMON@mx.example.net", **more: str
) -> str:
    """A form without a standard: words, and a copy of the letter."""
    headers = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in more.items())
    return (
        f"From: {sender}\nTo: {{to}}\nSubject: {subject}\n{headers}MIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
        f"{text}\n"
    )


def arf(kind: str = "abuse", **fields: str) -> str:
    """RFC 5965."""
    said = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in fields.items())
    return (
        "From: feedback@provider.example\nTo: abuse@newsroom.example\nSubject: FW: a letter\n"
        "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; "
        'boundary="c"'
        "\n\n--c\nContent-Type: text/plain\n\nThis is an email abuse report.\n\n"
        "--c\nContent-Type: message/feedback-report\n\n"
        f"Feedback-Type: {kind}\nUser-Agent: Example/1.0\nVersion: 1\n{said}\n"
        f"--c\nContent-Type: message/rfc822\n\n{RETURNED}\n--c--\n"
    )


COPY = "\n\n--- Below this line is a copy of the message.\n\n" + RETURNED
FORMS: dict[str, tuple[str, str]] = {
    # name: (what it is, the mail)
    "postfix: user unknown": ("hard", dsn()),
    "postfix: host unknown": (
        "hard",
        dsn(status="5.1.2", diagnostic="X-Postfix; Host or domain name not found"),
    ),
    "postfix: the server's own code is the exact one": (
        "hard",
        dsn(status="5.0.0", diagnostic="smtp; 550-5.1.1 The account does not exist"),
    ),
    "gmail: full": (
        "soft",
        dsn(status="4.2.2", diagnostic="smtp; 452 4.2.2 The email account is over quota"),
    ),
    "gmail: full for good": (
        "soft",
        dsn(status="5.2.2", diagnostic="smtp; 552-5.2.2 The recipient's inbox is out of storage"),
    ),
    "gmail: rate": (
        "policy",
        dsn(status="4.7.28", diagnostic="smtp; 421-4.7.28 unusual rate of unsolicited mail"),
    ),
    "outlook: blocked": (
        "policy",
        dsn(
            status="5.7.1",
            diagnostic="smtp; 550 5.7.1 messages from [192.0.2.1] weren't sent: on our block list",
        ),
    ),
    "dmarc": ("policy", dsn(status="5.7.26", diagnostic="smtp; 550 5.7.26 DMARC check failed")),
    "spamhaus under a mailbox's code without meaning": (
        "policy",
        dsn(status="5.0.0", diagnostic="smtp; 554 blocked using zen.spamhaus.org"),
    ),
    "no such user under a policy's code": (
        "hard",
        dsn(status="5.7.1", diagnostic="smtp; 550 5.7.1 No such user here"),
    ),
    "too large": ("policy", dsn(status="5.3.4", diagnostic="smtp; 552 5.3.4 message too big")),
    "expired": (
        "soft",
        dsn(status="4.4.1", diagnostic="smtp; connect to mx.example.org: Connection timed out"),
    ),
    "nothing but failed": ("soft", dsn(status="5.0.0", diagnostic="smtp; 500 no")),
    "a mailbox's code for a letter that is too large": (
        "policy",
        dsn(diagnostic="smtp; 550 RCPT TO:<reader@example.org> max message size exceeded"),
    ),
    "a mailbox's code for one that is full": (
        "soft",
        dsn(diagnostic="smtp; 550 5.1.1 <reader@example.org> over quota"),
    ),
    "gmail: too much at once, under the code of a disabled mailbox": (
        "policy",
        dsn(
            status="5.2.1",
            diagnostic="smtp; 550-5.2.1 The user you are trying to contact is receiving mail at a "
            "rate that prevents additional messages from being delivered",
        ),
    ),
    "words around an address": (
        "hard",
        dsn(status="5.0.0", diagnostic="smtp; 550 User [reader@example.org] does not exist"),
    ),
    "an address made of words about policy": (
        "hard",
        dsn(status="5.0.0", diagnostic="smtp; 550 <spam.policy@blocked.example>: user unknown"),
    ),
    "an undisclosed address is no closed one": (
        "soft",
        plain(
            "Mail delivery failed: returning message to sender",
            "This is a permanent error. The following address(es) failed:\n\n"
            "  an undisclosed address\n    (generated from reader@example.org)",
            X_Failed_Recipients="reader@example.org",
        ),
    ),
    "a domain that is not found just now": (
        "soft",
        plain(
            "Undelivered Mail Returned to Sender",
            "<reader@example.org>: Name service error for domain example.org: Host not\n"
            "    found, try again",
        ),
    ),
    "a confirmation is asked of the server": (
        "policy",
        dsn(status="5.0.0", diagnostic="smtp; 550 Your server requires confirmation. Visit us"),
    ),
    "forwarded to two, one of whom is reached": (
        "notice",
        dsn().replace(
            "Final-Recipient: rfc822; reader@example.org\n",
            "Final-Recipient: rfc822; other@example.org\nAction: delivered\nStatus: 2.0.0\n\n"
            "Final-Recipient: rfc822; reader@example.org\n",
        ),
    ),
    "forwarded to two, one of whom is full": (
        "soft",
        dsn().replace(
            "Final-Recipient: rfc822; reader@example.org\n",
            "Final-Recipient: rfc822; other@example.org\nAction: failed\nStatus: 5.2.2\n\n"
            "Final-Recipient: rfc822; reader@example.org\n",
        ),
    ),
    "a report whose parts cannot be cut": (
        "policy",
        dsn(status="5.0.0", diagnostic="smtp; 550 Probable Spam").replace(
            'boundary="cut"', 'boundary="another"'
        ),
    ),
    "a page in HTML": (
        "hard",
        plain(
            "Undeliverable: letter",
            "<style>.spam{}</style><p>Your message couldn&#39;t be delivered.</p>"
            "<b>The mailbox</b> does<br>not exist",
            sender="postmaster@example.org",
        ).replace("text/plain", "text/html"),
    ),
    "a receipt": (
        "auto reply",
        "From: reader@example.org\nTo: {to}\nSubject: Read: letter\nMIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=disposition-notification; "
        'boundary="c"\n\n--c\nContent-Type: text/plain\n\nIt was read. User unknown.\n\n'
        "--c\nContent-Type: message/disposition-notification\n\n"
        "Final-Recipient: rfc822; reader@example.org\n"
        "Disposition: manual-action/MDN-sent-manually; displayed\n\n--c--\n",
    ),
    "microsoft's feedback from another address": (
        "complaint",
        "From: feedback@outlook.example\nTo: abuse@newsroom.example\nSubject: complaint about "
        'message\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="c"\n\n'
        "--c\nContent-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: reader@example.org\n"
        + RETURNED
        + "\n--c--\n",
    ),
    "auto reply: polish": (
        "auto reply",
        plain("[Automatyczna =?iso-8859-2?Q?odpowied=BC?=] letter", "Hi.", sender="r@example.org"),
    ),
    "delayed": ("notice", dsn(action="delayed", status="4.4.1", subject="Delayed Mail")),
    "delivered": ("notice", dsn(action="delivered", status="2.0.0", subject="Delivered")),
    "relayed": ("notice", dsn(action="relayed", status="2.0.0")),
    "qmail": (
        "hard",
        plain(
            "failure notice",
            "Hi. This is the qmail-send program at mx.example.net.\n"
            "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
            "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
            "<reader@example.org>:\nSorry, no mailbox here by that name. (#5.1.1)" + COPY,
        ),
    ),
    "exim": (
        "hard",
        plain(
            "Mail delivery failed: returning message to sender",
            "This message was created automatically by mail delivery software.\n\n"
            "A message that you sent could not be delivered to all of its recipients. The\n"
            "following address(es) failed:\n\n  reader@example.org\n    Unrouteable address\n\n"
            "------ This is a copy of the message, including all the headers. ------\n\n"
            + RETURNED,
            X_Failed_Recipients="reader@example.org",
        ),
    ),
    "exim: full": (
        "soft",
        plain(
            "Mail delivery failed: returning message to sender",
            "The following address failed:\n\n  reader@example.org\n    mailbox is full: retry "
            "timeout exceeded\n\n------ This is a copy of the message. ------\n\n" + RETURNED,
            X_Failed_Recipients="reader@example.org",
        ),
    ),
    "exchange": (
        "hard",
        plain(
            "Undeliverable: Situation in Belarus",
            "Your message did not reach some or all of the intended recipients.\n\n"
            "reader@example.org on 23.11.2026 10:00\nThe e-mail account does not exist at the "
            "organization this message was sent to. <mx.example.org #5.1.1>",
            sender="postmaster@example.org",
        ),
    ),
    "mail.ru": (
        "hard",
        plain(
            "Mail failure.",
            "Это письмо создано автоматически сервером Mail.Ru, отвечать на него не нужно.\n\n"
            "К сожалению, Ваше письмо не может быть доставлено одному получателю:\n\n"
            "reader@example.org\nSMTP error: 550 нет такого пользователя",
            sender="mailer-daemon@corp.example",
        ),
    ),
    "yandex": (
        "hard",
        plain(
            "Недоставленное сообщение",
            "Адресат не существует: ящик не найден.\n<reader@example.org>: 550 5.1.1 no such user",
            sender="mailer-daemon@yandex.example",
        ),
    ),
    "sendmail: deferred warning": (
        "notice",
        dsn(
            action="delayed", status="4.4.1", subject="Warning: could not send message for 4 hours"
        ),
    ),
    "arf: abuse": ("complaint", arf()),
    "arf: of a large provider": (
        "complaint",
        arf(Arrival_Date="Mon, 23 Nov 2026 09:00:00 +0000", Reported_Domain="newsroom.example"),
    ),
    "arf: fraud": ("complaint", arf("fraud")),
    "arf: not spam": ("notice", arf("not-spam")),
    "microsoft's feedback": (
        "complaint",
        "From: staff@hotmail.com\nTo: abuse@newsroom.example\nSubject: complaint about a message"
        '\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="c"\n\n'
        f"--c\nContent-Type: message/rfc822\n\n{RETURNED}\n--c--\n",
    ),
    "auto reply: header": (
        "auto reply",
        plain(
            "Re: Situation in Belarus",
            "I am away.",
            sender="reader@example.org",
            Auto_Submitted="auto-replied",
        ),
    ),
    "auto reply: english": (
        "auto reply",
        plain("Out of Office: letter", "Back on Monday.", sender="r@example.org"),
    ),
    "auto reply: belarusian": (
        "auto reply",
        plain("Аўтаадказ: ліст", "Я ў адпачынку. Адрас не існуе.", sender="r@example.org"),
    ),
    "auto reply: russian": (
        "auto reply",
        plain("Автоответ", "Я в отпуске, пользователь не найден.", sender="r@example.org"),
    ),
    "a person": (
        "unrecognised",
        plain(
            "Re: Situation in Belarus",
            "Thank you! My friend's mailbox is full and he left the company.",
            sender="reader@example.org",
        ),
    ),
    "spam": (
        "unrecognised",
        plain("Buy now", "Cheap pills, unsubscribe here", sender="pills@spam.example"),
    ),
}


def written(form: str, *, to: str, message: str = "", letter: str = "") -> bytes:
    """One of the forms as it arrives."""
    text = FORMS[form][1] if form in FORMS else form
    filled = text.replace("{to}", to).replace("{message}", message).replace("{letter}", letter)
    return filled.replace("\n", "\r\n").encode()


def nested(depth: int) -> bytes:
    """Parts within parts."""
    inner = EmailMessage()
    inner.set_content("the letter")
    raw = inner.as_bytes()
    for number in range(depth):
        cut = f"c{number}".encode()
        raw = (
            b'Content-Type: multipart/mixed; boundary="'
            + cut
            + b'"\n\n--'
            + cut
            + b"\n"
            + raw
            + b"\n--"
            + cut
            + b"--\n"
        )
    return b"From: MAILER-DAEMON@a.example\nSubject: failure notice\n" + raw


FROM_A_ROBOT = b"From: MAILER-DAEMON@a.example\nSubject: failure notice\n"
A_STATUS = (
    FROM_A_ROBOT + b'Content-Type: multipart/report; boundary="c"\n\n--c\n'
    b"Content-Type: message/delivery-status\n\n"
)
HOSTILE: dict[str, bytes] = {
    # Each of these would keep a careless pattern or parser busy for minutes.
    "dashes": FROM_A_ROBOT + b"\n" + b"-" * 200_000 + b"x",
    "empty lines": FROM_A_ROBOT + b"\n" + b"\n" * 200_000 + b"x",
    "spaces": FROM_A_ROBOT + b"\n" + b" " * 200_000 + b"x",
    "half a sentence": FROM_A_ROBOT + b"\n" + b"this is " * 30_000,
    "a style that never ends": FROM_A_ROBOT + b"Content-Type: text/html\n\n" + b"<style " * 40_000,
    "angle brackets": FROM_A_ROBOT + b"Content-Type: text/html\n\n" + b"<" * 250_000,
    "a sender without an at": b"From: " + b"a" * 250_000 + b"\nSubject: hi\n\nx",
    "a subject of words": b"From: a@b\nSubject: " + b"=?utf-8?q?a?= " * 18_000 + b"\n\nx",
    "parameters": b"Content-Type: text/plain;" + b" a=b;" * 50_000 + b"\nFrom: a@b\n\nx",
    "a diagnosis": A_STATUS + b"Action: failed\nDiagnostic-Code: smtp; " + b"user " * 50_000,
    "empty statuses": A_STATUS + b"\n \n" * 80_000 + b"\n--c--\n",
    "parts": FROM_A_ROBOT
    + b'Content-Type: multipart/mixed; boundary="c"\n\n'
    + b"--c\n\na\n" * 40_000,
    "nested": nested(400),
    "letters in letters": FROM_A_ROBOT + b"Content-Type: message/rfc822\n\n" * 8_000,
    "addresses": FROM_A_ROBOT + b"\n" + b"<a@b.example>\n" * 18_000,
    "punycode": FROM_A_ROBOT
    + b"Content-Type: text/plain; charset=punycode\n\n"
    + b"aaaa-zz9" * 30_000,
}
