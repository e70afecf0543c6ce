"""The whole way: from a message to a loopback mailbox, a bounce back, a suppression, and the next mailing.

What arrives is counted by a server made of sockets, which knows nothing of the library.
"""

from __future__ import annotations

import email
import importlib.util
import smtplib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailflows.feedback import SuppressionList, parse_bounce
from mailflows.limits import SQLiteStore
from mailflows.pacing import Pacer
from mailflows.tracking import Tracker
from smtp_server import MisbehavingRelay

if TYPE_CHECKING:
    from types import ModuleType

    from smtp_server import Delivery

SITE = """
import sys

import django
from django.conf import settings
from django_mailers import mail_settings

flows, host = sys.argv[1:]
settings.configure(
    SECRET_KEY="tests",
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_FROM_EMAIL="Harbour <noreply@notify.lovelace.example>",
    **mail_settings(),
    MAILFLOWS={"FLOWS": flows},
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {
            "subject.txt": "Reset your password",
            "body.txt": "Hello {{ user.get_username }},\\n\\nsomebody asked to reset the password of your "
            "account. Use this link: https://www.lovelace.example/reset/{{ uid }}/{{ token }}/\\n\\n"
            "If it was not you, ignore this message.\\n",
        })]},
    }],
)
django.setup()
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.models import User
from django.core.management import call_command

call_command("migrate", verbosity=0)
User.objects.create_user("ada", "ada@babbage.example", "secret")
form = PasswordResetForm({"email": "ada@babbage.example"})
assert form.is_valid()
form.save(
    domain_override="www.lovelace.example",
    subject_template_name="subject.txt",
    email_template_name="body.txt",
)
"""


def test_a_password_reset_arrives(tmp_path: Path) -> None:
    """Django's own form, its backend, the gate with all its parts, a relay: one message in one mailbox."""
    with MisbehavingRelay() as relay:
        (tmp_path / "flows.toml").write_text(
            f'[flows.transactional]\ndomains = ["notify.lovelace.example"]\nrelay = "{relay.url}"\n'
            '[gate]\nstore = "state.db"\n[limits]\ntransactional = "web_form"\n'
        )
        command = [sys.executable, "-c", SITE, str(tmp_path / "flows.toml"), relay.host]
        here = Path(__file__).parent  # for what the tests share
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        (taken,) = relay.deliveries
    assert taken.recipients == ("ada@babbage.example",)
    assert b"Subject: Reset your password\r\n" in taken.content
    # Long lines are quoted-printable from Django 6 on.
    text = email.message_from_bytes(taken.content).get_payload(decode=True)
    assert b"https://www.lovelace.example/reset/" in text


PEOPLE = [(str(number), f"reader{number}@host{number % 5}.example") for number in range(40)]
GONE = {PEOPLE[7][1], PEOPLE[21][1], PEOPLE[33][1]}

REPORT = """\
From: MAILER-DAEMON@mx.host.example
To: {to}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: text/plain

The mailbox does not exist.
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.host.example

Final-Recipient: rfc822; {gone}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--x--
"""


def bounce(taken: Delivery, mailbox: MisbehavingRelay) -> None:
    """Report, as a receiver does later, that a mailbox does not exist."""
    (gone,) = taken.recipients
    with smtplib.SMTP(mailbox.host, mailbox.port, timeout=10) as smtp:
        smtp.sendmail("", taken.sender, REPORT.format(to=taken.sender, gone=gone))


def test_a_campaign_of_forty(root: Path, tmp_path: Path) -> None:
    """All forty arrive once, three bounce, and the next mailing reaches the other thirty-seven, once."""
    example = nightly(root)
    store = SQLiteStore(tmp_path / "campaign.db")
    suppressions = SuppressionList(store)
    parts: dict[str, Any] = {
        "tracker": Tracker([bytes(32)], "https://t.shop.example/"),
        "pacer": Pacer(store),
        "suppressions": suppressions,
        "later": example.Open(str(tmp_path / "open.db")),
    }
    with MisbehavingRelay(close_after=10) as relay, MisbehavingRelay() as mailbox:
        smtp = example.Relay(relay.host, relay.port)
        first = example.send(smtp, PEOPLE, "spring", **parts)
        assert (dict(first), relay.counts()) == ({"sent": 40}, {address: 1 for _, address in PEOPLE})
        for taken in list(relay.deliveries):
            if set(taken.recipients) & GONE:
                bounce(taken, mailbox)
        for report in mailbox.deliveries:
            assert parts["tracker"].decode(report.recipients[0], "bounce").campaign == "spring"
            for event in parse_bounce(report.content, delivered_to=report.recipients[0]):
                suppressions.apply(event)
        relay.deliveries.clear()
        second = example.send(smtp, PEOPLE, "summer", **parts)
        assert dict(second) == {"sent": 37, "suppressed": 3}
        assert relay.counts() == {address: 1 for _, address in PEOPLE if address not in GONE}
        smtp.close()
    parts["later"].close()


def nightly(root: Path) -> ModuleType:
    """Load the example of a campaign."""
    spec = importlib.util.spec_from_file_location("nightly", root / "examples/campaign/nightly.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
