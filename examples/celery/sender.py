"""A sender with Celery: any number of worker processes, one Redis, and a gate in each of them.

Usage: BROKER=redis://localhost:6379/0 RELAY=smtp://localhost:25 celery --app sender worker

What one worker learns (a limit that is used up, a mailbox that is gone, a form that is bombed, a stolen
account) applies to all of them, because it is kept in Redis.
"""

from __future__ import annotations

import os
import smtplib
from email.message import EmailMessage

import redis
from celery import Celery, Task

from mailflows import Gate, Refused
from mailflows.feedback import SuppressionList
from mailflows.flows import FlowRoute, FlowSet
from mailflows.integrations.smtplib import GateSMTP
from mailflows.limits import RedisStore, presets
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl

BROKER = os.environ["BROKER"]
app = Celery("sender", broker=BROKER, backend=BROKER)
app.conf.update(
    task_acks_late=True,  # a worker that dies loses no message
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)

store = RedisStore(redis.Redis.from_url(BROKER))
gate = Gate(
    FlowSet(
        FlowRoute("transactional", domains="notify.harbour.example", relay=os.environ["RELAY"]),
        FlowRoute("professional", domains="harbour.example", relay=os.environ["RELAY"]),
    ),
    limiter={"transactional": presets.web_form(store), "professional": presets.professional(store)},
    senders=SenderControl(store),
    suppressions=SuppressionList(store),
    reputation=Reputation(store),
)


@app.task(bind=True, max_retries=3)
def send(task: Task, to: str, number: int, **known: str) -> tuple[int, str]:
    """Send one message; return the process that sent it, and the outcome."""
    mail = EmailMessage()
    person = known.get("account")
    mail["From"] = f"Ada <{person}>" if person else "Harbour <noreply@notify.harbour.example>"
    mail["To"], mail["Subject"] = to, "Re: Tuesday" if person else "Reset your password"
    mail["Message-ID"] = f"<{number}@harbour.example>"  # the same at every attempt
    mail.set_content(
        f"Dear Charles,\n\nthanks for note {number}. Noon suits me.\n\nAda\n"
        if person
        else f"Hello,\n\nyour code to reset your password is {number:06}. It expires in ten minutes.\n"
    )
    try:
        with GateSMTP(gate) as smtp:
            smtp.send_message(mail, flow="professional" if person else "transactional", **known)
    except Refused as refused:  # where it may wait: task.retry(countdown=refused.verdict.retry_after)
        return os.getpid(), str(refused.verdict.why[0].part)
    except smtplib.SMTPRecipientsRefused:
        return os.getpid(), "relay"
    except (smtplib.SMTPException, OSError) as problem:
        raise task.retry(countdown=1) from problem
    return os.getpid(), "sent"
