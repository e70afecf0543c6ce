"""Mail from a Celery task: deferred mail is retried when that is worthwhile, refused mail is not.

Usage: BROKER=redis://localhost:6379/0 RELAY=smtp://localhost:25 celery --app retries worker
"""

from __future__ import annotations

import os
from email.message import EmailMessage

from celery import Celery, Task

from mailflows import Gate, MailflowsError
from mailflows.flows import FlowRoute, FlowSet
from mailflows.integrations import retry_after
from mailflows.integrations.smtplib import GateSMTP
from mailflows.limits import Limit, Limiter

BROKER = os.environ["BROKER"]
app = Celery("retries", broker=BROKER, backend=os.environ.get("RESULTS", BROKER))
gate = Gate(
    FlowSet(FlowRoute("transactional", domains="notify.harbour.example", relay=os.environ["RELAY"])),
    limiter=Limiter(Limit("100/day", per="recipient")),
)


@app.task(bind=True, max_retries=12, acks_late=True)  # a worker that dies loses no message
def send(task: Task, recipients: list[str], number: int) -> int:
    """Send one message; return how many recipients the last attempt reached."""
    try:
        with GateSMTP(gate) as smtp:
            delivery = smtp.send_message(reset(recipients, number), to_addrs=recipients, flow="transactional")
    except (MailflowsError, OSError) as problem:  # smtplib.SMTPException is an OSError
        wait = retry_after(problem)
        if wait is None:
            raise  # the task fails, once
        raise task.retry(exc=problem, countdown=wait) from problem
    if delivery.deferred:  # the others have it
        raise task.retry(args=(list(delivery.deferred), number), countdown=retry_after(delivery))
    return len(delivery.accepted)


def reset(recipients: list[str], number: int) -> EmailMessage:
    """Return the message; its Message-ID is the same at every attempt."""
    mail = EmailMessage()
    mail["From"], mail["To"] = "Harbour <noreply@notify.harbour.example>", ", ".join(recipients)
    mail["Subject"], mail["Message-ID"] = "Reset your password", f"<{number}@notify.harbour.example>"
    mail.set_content(
        f"Hello,\n\nyour code to reset your password is {number:06}. It expires in ten minutes.\n"
    )
    return mail
