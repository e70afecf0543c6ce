"""The SPF evaluator over the conformance suite of RFC 7208, and by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mailflows._dns import Answer, Question, Status, one_by_one
from mailflows.audit._spf import SpfCheck, SpfResult, check_host
from mailflows.testing import FakeDns
from shared_cases import cases

if TYPE_CHECKING:
    from collections.abc import Callable


def _zone(scenario: dict[str, Any]) -> dict[str, list[Any]]:
    return {name.lower().removesuffix("."): records for name, records in scenario["zonedata"].items()}


def _answers(scenario: dict[str, Any]) -> Callable[[Question], Answer]:
    """Return a function that answers from the zone of a scenario of the suite."""
    zone = _zone(scenario)

    def answer(question: Question, hops: int = 0) -> Answer:
        if hops > 8:
            return Answer(Status.SERVFAIL)  # aliases that go round
        records = zone.get(question.name)
        if records is None:
            return Answer(Status.NXDOMAIN)
        found: list[str] = []
        given = [next(iter(r.items())) for r in records if isinstance(r, dict)]
        kinds = [kind for kind, _ in given]
        for record in records:
            if record == "TIMEOUT":
                if not any(kind == question.kind and value != "NONE" for kind, value in given):
                    return Answer(Status.TIMEOUT)
                continue
            ((kind, value),) = record.items()
            if kind == "CNAME" and question.kind != "CNAME":
                return answer(Question(value.lower().removesuffix("."), question.kind), hops + 1)
            if value == "TIMEOUT" and kind == question.kind:
                return Answer(Status.TIMEOUT)
            as_txt = kind == "SPF" and question.kind == "TXT" and "TXT" not in kinds
            if (kind == question.kind or as_txt) and value != "NONE":
                found.append(_text(kind, value))
        return Answer(Status.OK, tuple(found)) if found else Answer(Status.NODATA)

    return answer


def _text(kind: str, value: Any) -> str:
    if kind in {"TXT", "SPF"}:
        joined = value if isinstance(value, str) else "".join(value)
        # As the wire reader gives it: bytes that are not UTF-8 escaped.
        return joined.encode("latin-1", "backslashreplace").decode("utf-8", "backslashreplace")
    if kind == "MX":
        return f"{value[0]} {value[1].lower().removesuffix('.')}"
    return str(value).lower().removesuffix(".")


def test_the_conformance_suite_of_the_standard() -> None:
    """Every test of the suite has one of the results that it accepts, with the wanted explanation."""
    wrong = []
    count = 0
    for scenario in yaml.safe_load_all(cases("flows/spf/rfc7208-tests.yml")):
        answer = _answers(scenario)
        for name, test in scenario["tests"].items():
            count += 1
            talk = check_host(test["host"], sender=test["mailfrom"] or "", helo=test["helo"])
            got = one_by_one(talk, answer)
            wanted = test["result"] if isinstance(test["result"], list) else [test["result"]]
            told = test.get("explanation", "DEFAULT").replace("DEFAULT", "")
            if got.result not in wanted or ("explanation" in test and got.explanation != told):
                wrong.append((name, wanted, told, str(got), got.explanation))
    assert wrong == []
    assert count > 200


RECORDS: dict[str, Any] = {
    "ok.example": {"TXT": ["v=spf1 ip4:192.0.2.0/24 include:_spf.mail.example -all"]},
    "_spf.mail.example": {"TXT": ["v=spf1 ip6:2001:db8::/32 ?all"]},
    "two.example": {"TXT": ["v=spf1 -all", "v=spf1 +all"]},
    "loop.example": {"TXT": ["v=spf1 include:loop.example -all"]},
    "sick.example": "servfail",
    "said.example": {"TXT": ["v=spf1 -all exp=why.said.example"]},
    "why.said.example": {"TXT": ["%{i} may not send for %{D}, says %{r}"]},
}


def _check(ip: str, domain: str) -> SpfCheck:
    dns = FakeDns(RECORDS)
    talk = check_host(ip, sender=f"ada@{domain}", helo="mx.example", receiver="here.example")
    return next(result for _, result in dns.run([talk]))


@pytest.mark.parametrize(
    ("ip", "domain", "result"),
    [
        ("192.0.2.1", "ok.example", SpfResult.PASS),
        ("::ffff:192.0.2.1", "ok.example", SpfResult.PASS),
        ("2001:db8::1", "ok.example", SpfResult.PASS),
        ("203.0.113.1", "ok.example", SpfResult.FAIL),
        ("192.0.2.1", "two.example", SpfResult.PERMERROR),
        ("192.0.2.1", "loop.example", SpfResult.PERMERROR),
        ("192.0.2.1", "sick.example", SpfResult.TEMPERROR),
        ("192.0.2.1", "gone.example", SpfResult.NONE),
    ],
)
def test_results(ip: str, domain: str, result: SpfResult) -> None:
    """Each situation has its word of RFC 7208."""
    assert _check(ip, domain).result is result


def test_the_owner_may_explain() -> None:
    """An explanation is fetched and its macros are expanded."""
    assert _check("192.0.2.1", "said.example").explanation == (
        "192.0.2.1 may not send for said.example, says here.example"
    )


@pytest.mark.property
@given(st.text(max_size=300), st.sampled_from(["192.0.2.1", "2001:db8::1"]))
def test_any_record_has_a_result(text: str, ip: str) -> None:
    """Whatever stands in a record, the evaluation ends with a result."""
    answer = Answer(Status.OK, ("v=spf1 " + text,))
    talk = check_host(ip, sender="ada@any.example", helo="mx.example")
    got = one_by_one(talk, lambda question: answer if question.kind == "TXT" else Answer(Status.NODATA))
    assert isinstance(got.result, SpfResult)
