"""Payloads: the values of a template are found in what each provider's API and SDK is given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from mailflows import ConfigurationError
from mailflows.templates import check_fields, fields_of

BAD = "You won! prizes.example/claim"
PAYLOADS: dict[str, dict[str, Any]] = {
    "SendGrid": {
        "personalizations": [{"to": [], "dynamic_template_data": {"name": BAD}}],
        "template_id": "d-1",
    },
    "Brevo": {"templateId": 7, "params": {"name": BAD}},
    "Brevo, many": {"templateId": 7, "messageVersions": [{"to": [], "params": {"name": BAD}}]},
    "Mailjet": {"Messages": [{"TemplateID": 7, "Variables": {"name": BAD}}]},
    "Mailjet, all": {"Globals": {"Variables": {"name": BAD}}, "Messages": []},
    "Postmark": {"TemplateId": 7, "TemplateModel": {"name": BAD}},
    "Postmark, many": {"Messages": [{"TemplateId": 7, "TemplateModel": {"name": BAD}}]},
    "Mandrill": {"message": {"global_merge_vars": [{"name": "name", "content": BAD}]}},
    "Mandrill, one": {
        "message": {"merge_vars": [{"rcpt": "a@example.net", "vars": [{"name": "name", "content": BAD}]}]}
    },
    "SES": {"Template": "welcome", "TemplateData": json.dumps({"name": BAD})},
    "SES v2": {"Content": {"Template": {"TemplateName": "w", "TemplateData": json.dumps({"name": BAD})}}},
    "SES v2, many": {
        "BulkEmailEntries": [
            {
                "ReplacementEmailContent": {
                    "ReplacementTemplate": {"ReplacementTemplateData": json.dumps({"name": BAD})}
                }
            }
        ]
    },
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_values_are_found_in_each_shape(payload: dict[str, Any]) -> None:
    """A name that holds a link is seen before the provider sees it."""
    found = fields_of(payload)
    assert found == {"name": BAD}
    assert [alarm.code for alarm in check_fields(found).alarms] == ["slot-link"]


class SendGridMail:
    """As SendGrid's Mail: a payload that `get` returns."""

    personalizations: tuple[object, ...] = ()

    def get(self) -> dict[str, Any]:
        """Return the payload."""
        return PAYLOADS["SendGrid"]


class BrevoMail:
    """As Brevo's SendSmtpEmail: a payload that `to_dict` returns."""

    def to_dict(self) -> dict[str, Any]:
        """Return the payload."""
        return PAYLOADS["Brevo"]


@dataclass
class PostmarkMail:
    """As clients that use dataclasses."""

    template_id: int
    template_model: dict[str, Any]


@pytest.mark.parametrize(
    "payload",
    [
        SendGridMail(),
        BrevoMail(),
        PostmarkMail(7, {"name": BAD}),
        SimpleNamespace(_params=SimpleNamespace(name=BAD)),
    ],
)
def test_values_are_found_in_objects(payload: object) -> None:
    """An object of an SDK is read as the dictionary that it stands for."""
    assert fields_of(payload) == {"name": BAD}


def test_what_nests_is_looked_at() -> None:
    """Values inside lists and tables have a name by which they can be allowed."""
    fields = {"user": {"name": "Ada", "site": "www.ada.example"}, "items": [{"title": "Lamp"}]}
    assert [alarm.slot for alarm in check_fields(fields).alarms] == ["user.site"]
    assert check_fields(fields, allow={"user.site": ["slot-link"]}).ok


def test_recipients_keep_their_own_values() -> None:
    """Two recipients with two values are two fields, and a bad one among them is found."""
    people = [{"dynamic_template_data": {"name": name}} for name in ("Ada", BAD)]
    assert not check_fields(fields_of({"personalizations": people})).ok


@pytest.mark.parametrize("payload", [{"name": "Ada"}, {}, None, "Ada", 7])
def test_an_unknown_shape_is_refused(payload: object) -> None:
    """What cannot be read is never called right."""
    with pytest.raises(ConfigurationError) as caught:
        fields_of(payload)
    assert caught.value.field == "payload"
