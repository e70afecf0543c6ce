"""django-post-office behind the gate: a message that is refused permanently is not retried.

In the settings::

    EMAIL_BACKEND = "mailflows.integrations.django.QueueBackend"
    POST_OFFICE = {
        "BACKENDS": {"default": "mailflows.integrations.post_office.QueuedBackend"},
        "MAX_RETRIES": 10,
    }
    MAILFLOWS = {"FLOWS": BASE_DIR / "flows.toml", "QUEUE": "post_office.EmailBackend"}

With ``MAILERS`` (Django 6.1 or newer), both are mailers, and ``POST_OFFICE["DEFAULT_MAILER"]`` names the one
of `QueuedBackend`.

django-post-office retries every message whose sending raised an exception, whatever it was, but it records
the exception's name in the message's log. So `QueuedBackend` raises `FinalRefusal` if retrying is pointless,
and `end_refused`, called after ``send_queued_mail``, marks those messages as failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailflows.errors import MailflowsError, MissingExtra, Refused
from mailflows.integrations._delivery import Delivery, delivery_of, retry_after
from mailflows.integrations.django import GateBackend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.mail import EmailMessage

__all__ = ["FinalRefusal", "QueuedBackend", "end_refused"]


class FinalRefusal(MailflowsError):  # noqa: N818 -- a refusal, like `Refused`
    """Raised if no recipient gets the message, and retrying is pointless.

    Attributes:
        delivery: The outcome for each recipient, or `None` if the gate refused the whole message.
    """

    def __init__(self, message: str, *, delivery: Delivery | None = None) -> None:
        super().__init__(message)
        self.delivery = delivery


class QueuedBackend(GateBackend):
    """`GateBackend` behind django-post-office: it says which refusals are final."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send messages, and return how many were sent.

        Raises:
            FinalRefusal: If no recipient gets a message, now or later.
            Refused: If the gate defers or holds a message.
            OSError: If a relay defers it, or cannot be reached.
        """
        try:
            return super().send_messages(email_messages)
        except (MailflowsError, OSError) as problem:  # SMTPException is an OSError
            if retry_after(problem) is not None:
                raise
            delivery = delivery_of(problem)
            said = str(problem) if isinstance(problem, Refused) else str(delivery)
            raise FinalRefusal(said, delivery=delivery) from problem


def end_refused() -> int:
    """Mark permanently refused messages as failed, so that they are not retried, and return how many.

    Call it after ``send_queued_mail``. It reads the log of each message, so ``POST_OFFICE["LOG_LEVEL"]`` must
    not be 0.

    Raises:
        MissingExtra: If django-post-office is not installed.
    """
    try:
        from post_office import models  # noqa: PLC0415 -- Django must be set up before
    except ImportError as problem:
        extra = "django"
        raise MissingExtra(extra, "django-post-office") from problem
    emails: Any = models.Email.objects
    refused = emails.filter(status=models.STATUS.requeued, logs__exception_type=FinalRefusal.__name__)
    found = list(refused.values_list("pk", flat=True))  # an update cannot follow a join everywhere
    return int(emails.filter(pk__in=found).update(status=models.STATUS.failed))
