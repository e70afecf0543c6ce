"""A Django site with django-post-office in front of the gate, as the tests start it.

Usage: python django_office.py FLOWS.toml DATABASE MODE; MODE is queue, flood, send, or once: to
send, and to end what was refused for good, while what was deferred waits for an hour.
"""

from __future__ import annotations

import sys
from datetime import timedelta

import django
from django.conf import settings

from django_mailers import mail_settings

flows, database, mode = sys.argv[1:]
behind = "mailflows.integrations." + ("post_office.QueuedBackend" if mode == "once" else "django.GateBackend")
settings.configure(
    SECRET_KEY="tests",  # noqa: S106 -- of no site
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.contenttypes", "post_office"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DEFAULT_FROM_EMAIL="Harbour <noreply@notify.lovelace.example>",
    **mail_settings("mailflows.integrations.django.QueueBackend", {"gate": {"BACKEND": behind}}),
    POST_OFFICE={
        "BACKENDS": {"default": behind, "gate": behind},  # before Django 6.1, which reads MAILERS
        "DEFAULT_MAILER": "gate",
        "MAX_RETRIES": 4,
        "RETRY_INTERVAL": timedelta(hours=1) if mode == "once" else timedelta(0),
    },
    MAILFLOWS={"FLOWS": flows, "QUEUE": "post_office.EmailBackend"},
    TEMPLATES=[
        {"BACKEND": "django.template.backends.django.DjangoTemplates"},
        {
            "BACKEND": "post_office.template.backends.post_office.PostOfficeTemplates",
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": []},
        },
    ],
)
django.setup()

from django.core.mail import EmailMessage  # noqa: E402 -- Django is set up first
from django.core.management import call_command  # noqa: E402
from post_office.models import Email  # noqa: E402

if mode in {"queue", "flood"}:
    call_command("migrate", verbosity=0)
    for name in ("ada", "busy", "gone") if mode == "queue" else map("p{}".format, range(7)):
        message = EmailMessage(
            "Reset your password",
            "Hello,\n\nyour code to reset your password is 406117. It expires in ten minutes.\n",
            None,
            [f"{name}@babbage.example"],
            headers={"Message-ID": f"<{name}@lovelace.example>"},
        )
        message.mailflows = {"flow": "transactional", "client": "192.0.2.7", "form": "reset"}
        message.send()
elif mode == "send":
    call_command("send_queued_mail", processes=1, verbosity=0)
elif mode == "once":
    from mailflows.integrations.django import not_delivered
    from mailflows.integrations.post_office import end_refused

    told: list[str] = []

    def note(message: EmailMessage, **_: object) -> None:
        """Note who is told of."""
        told.append(message.to[0].partition("@")[0])

    not_delivered.connect(note)
    call_command("send_queued_mail", processes=1, verbosity=0)
    sys.stdout.write(f"ended {end_refused()}\ntold {','.join(sorted(told))}\n")
for mail in Email.objects.order_by("pk"):
    word = next(name for number, name in Email.STATUS_CHOICES if number == mail.status)
    sys.stdout.write(f"{mail.to[0].partition('@')[0]} {word}\n")
