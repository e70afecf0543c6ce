"""The heuristics: a small table of weights for when no model is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows.classifier._model import Model
from mailflows.signals import words

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TABLE", "heuristic_model"]


# Signal → points for professional, marketing, transactional. Read it as "how much more usual is
# this in one flow than in the others"; written from providers' and standards' texts, not fitted.
TABLE: Mapping[str, tuple[float, float, float]] = {
    "headers-in-reply-to": (2, -1, 0),
    "headers-mail-client": (2, -1, -1),
    "headers-person-headers": (1, 0, -0.5),
    "headers-marketing-tool": (-1, 2, 0),
    "headers-mail-library": (-1, 0, 1),
    "headers-auto-submitted": (-2, -1, 2),
    "headers-list-unsubscribe": (-2, 1, 0),
    "headers-one-click": (-1, 1, 0),
    "headers-campaign-list-id": (-1, 1, 0),
    "headers-precedence-bulk": (-1, 1, 0),
    "headers-feedback-id": (-1, 0.5, 0.5),
    "headers-service-headers": (-1, -0.5, 1.5),
    "headers-tool-headers": (-1, 1, 0),
    "layout-client-outlook": (2, -1, -1),
    "layout-client-gmail": (2, -1, -1),
    "layout-client-apple": (2, -1, -1),
    "layout-client-mozilla": (2, -1, -1),
    "layout-quoted-html": (1, -1, 0),
    "layout-quoted-lines": (2, -1, -0.5),
    "layout-signed-by-sender": (1.5, -0.5, -1),
    "layout-greets-recipient": (0.5, -0.5, 0.5),
    "layout-tables": (-1, 0.5, 0.5),
    "layout-wrapper": (-1, 0.5, 0.5),
    "layout-images": (-0.5, 1, 0),
    "layout-big-image": (-0.5, 1, -0.5),
    "layout-pixel": (-1, 1, 0),
    "layout-pair-lines": (0, -1, 1),
    "layout-references": (0, -0.5, 0.5),
    "links-none": (1, -1, 0),
    "links-many": (-1, 2, 0),
    "links-tracking-share": (-1, 1, 0),
    "links-utm-share": (-1, 1, -0.5),
    "links-unsubscribe": (-1, 1.5, 0),
    "links-browser-view": (-1, 1.5, -0.5),
    "links-social-block": (-1, 1, 0),
    "links-one-action": (-1, -1, 1.5),
    "links-object": (-0.5, -0.5, 1),
    "sender-no-reply": (-2, 0, 1.5),
    "sender-system": (-2, -1, 2),
    "sender-orders": (-1, -1, 2),
    "sender-news": (-2, 2, -0.5),
    "sender-person-address": (1.5, -0.5, -1),
    "sender-person-name": (1, -0.5, -0.5),
    "sender-free-mail": (1, -0.5, -0.5),
    "subject-number": (-0.5, -0.5, 1),
    "subject-percent": (-1, 1.5, -0.5),
    "subject-emoji": (-0.5, 1, -0.5),
    "subject-automatic-reply": (-1, -1, 3),
    **{
        words.code(zone, name): points
        for zone in ("subject", "body")
        for name, points in {
            "offer": (-0.5, 1, -0.5),
            "urgency": (-0.5, 0.5, 0),
            "unsubscribe": (-1, 1, 0),
            "call_to_action": (-0.5, 0.5, 0),
            "no_reply": (-1, 0, 1),
            "order": (-0.5, -0.5, 1),
            "invoice_payment": (0, -0.5, 0.5),
            "shipping": (-0.5, -0.5, 1),
            "account_access": (-0.5, -0.5, 1),
            "one_time_code": (-1, -1, 2),
            "ticket": (-0.5, -0.5, 1),
            "alert": (0, -0.5, 0.5),
            "delivery_failure": (-0.5, -0.5, 1),
            "form_submission": (-0.5, -0.5, 1),
            "second_request": (1, -0.5, -0.5),
            "first_person": (0.5, 0, -0.5),
        }.items()
    },
    "words-body-signoff": (0.5, -0.5, 0),
    "words-body-sent-from-device": (2, -1, -1),
    "words-body-received-because": (-1, 1, 0),
}


def heuristic_model() -> Model:
    """Return the table as a model: the same scoring and reasons, without training.

    Temperature and threshold are round numbers that make it cautious: it abstains more often than the
    trained model.
    """
    return Model(
        start=(0.5, 0.0, 0.0),
        signals=TABLE,
        words={},
        wording_share=0.0,
        temperature=2.5,
        threshold=0.85,
        about={"name": "heuristics"},
    )
