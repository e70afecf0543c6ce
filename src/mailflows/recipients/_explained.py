"""A report on a list in words, for whoever decides whether to send to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mailflows._result import Severity, number_of
from mailflows.recipients._bounce_rate import Advice
from mailflows.recipients._report import Deliverability

if TYPE_CHECKING:
    from mailflows._result import Reason
    from mailflows.recipients._bounce_rate import PolicyVerdict, Prediction

__all__ = ["in_words"]


class Told(Protocol):
    """The parts of a `ListReport` that are explained."""

    @property
    def rows(self) -> int: ...
    @property
    def addresses(self) -> int: ...
    @property
    def domains(self) -> int: ...
    @property
    def column(self) -> str | None: ...
    @property
    def other_columns(self) -> tuple[str, ...]: ...
    @property
    def dns(self) -> bool: ...
    @property
    def resolver_trouble(self) -> str: ...
    @property
    def verdicts(self) -> dict[Deliverability, int]: ...
    @property
    def mistyped(self) -> int: ...
    @property
    def findings(self) -> tuple[Reason, ...]: ...
    @property
    def do_not_mail(self) -> dict[str, int]: ...
    @property
    def prediction(self) -> Prediction: ...
    @property
    def policies(self) -> tuple[PolicyVerdict, ...]: ...
    @property
    def advice(self) -> Advice: ...


_LEFT_OUT = {
    "bad-row": "without an address",
    "duplicate": "repeated",
    "unknown": "not checked",
    "complained": "with a complaint",
    "bounced": "that bounced before",
    "unsubscribed": "unsubscribed",
    "no-consent": "without consent",
    "suppressed": "on the suppression list",
}
"""Why rows are left out, as it follows their number; what is not here is said as it is: "3 risky"."""


def in_words(report: Told, addresses: int, left_out: dict[str, int]) -> str:
    """Return one paragraph: what was checked, what is left out and why, what to expect, what to do next.

    Args:
        report: The report.
        addresses: How many addresses are kept.
        left_out: How many rows are not, by why.
    """
    alarms = [one.sentence for one in report.findings if one.severity is Severity.ERROR]
    kept = report.rows - sum(left_out.values())
    parts = [_checked(report), _kept(report, kept, addresses, left_out), _slips(report)]
    parts += [*alarms, _expected(report), _next_step(report, kept)]
    return " ".join(filter(None, parts))


def _checked(report: Told) -> str:
    column = "" if report.column is None else f' from the column "{report.column}"'
    verb = "was" if report.rows == 1 else "were"
    held = number_of(report.addresses, "address", "addresses")
    where = number_of(report.domains, "domain")
    read = f"{number_of(report.rows, 'row')} {verb} read{column}, with {held} at {where}"
    others = (
        f" There are also addresses in {', '.join(report.other_columns)}." if report.other_columns else ""
    )
    if not report.dns:
        return f"{read}; DNS checks were off.{others}"
    if not report.resolver_trouble:
        return f"{read}; each domain was looked up in the DNS.{others}"
    count = number_of(report.verdicts[Deliverability.UNKNOWN], "address", "addresses")
    return (
        f"{read}.{others} The domains of {count} could not be checked: {report.resolver_trouble}. This"
        " does not count against them: no address is marked undeliverable because of its domain, and the"
        " prediction is made as if DNS checks were off."
    )


def _kept(report: Told, count: int, addresses: int, left_out: dict[str, int]) -> str:
    kept, lost = (
        f"{number_of(count, 'row')} {'is' if count == 1 else 'are'} safe to send to",
        report.rows - count,
    )
    if addresses != count:
        kept += f", with {number_of(addresses, 'address', 'addresses')}"
    if not lost:
        return f"{kept}: all of them." if report.rows else ""
    whys = ", ".join(f"{count} {_LEFT_OUT.get(why, why)}" for why, count in left_out.items())
    once = ", each for one reason" if len(left_out) > 1 else ""
    return f"{kept}; {number_of(lost, 'row')} {'is' if lost == 1 else 'are'} left out{once}: {whys}."


def _slips(report: Told) -> str:
    count = report.mistyped
    if not count:
        return ""
    looks = f"{number_of(count, 'address', 'addresses')} {'looks' if count == 1 else 'look'} mistyped"
    return f"{looks}: ask these people, or apply the suggestions."


def _expected(report: Told) -> str:
    said = report.prediction
    if not said.addresses:
        return ""
    strictest = _strictest(report).policy
    who = ""
    if said.addresses != report.addresses:
        others = ", without those who must not be mailed" if report.do_not_mail else ""
        who = f", to {number_of(said.addresses, 'recipient')} (each mailbox once{others})"
    return (
        f"If the list is mailed as it is{who}, {said.rate:.1%} of it will probably bounce"
        f" (with 90% certainty between {said.low:.1%} and {said.high:.1%}); the strictest limit is"
        f" {strictest.hard_bounce:.0%} ({strictest.name})."
    )


def _strictest(report: Told) -> PolicyVerdict:
    """Return what the lowest limit on bounces means; of several, that of who publishes it."""
    every = [one for one in report.policies if one.policy.max_recipients is None]
    return min(every, key=lambda one: (one.policy.hard_bounce, one.policy.ours))


def _next_step(report: Told, kept: int) -> str:
    if not report.prediction.addresses:
        return "There is nobody to send to: check that the right file and column were read."
    if report.resolver_trouble:
        return (
            "Check the list again with another resolver, or without the DNS (dns=False), before you send to"
            " it: until then, clean_to_csv() leaves out what was not checked."
        )
    if not kept:
        return "Do not send to it: find out where the list came from, and why no row is left."
    write = "write the safe rows with clean_to_csv(), " if kept < report.rows else ""
    if report.advice is Advice.GO:
        return f"That is within every limit: {write}{'and ' if write else ''}send."
    if report.advice is Advice.SAMPLE_FIRST:
        strictest = _strictest(report)
        few = f"at most {strictest.allowed} of it bounce" if strictest.allowed else "none of it bounces"
        return (
            f"That may be too much: {write}send to a random"
            f" sample of {min(strictest.sample, kept)} first, and continue if {few}."
        )
    return (
        "That is too much. Do not send to it as it is: write the safe rows with clean_to_csv(),"
        " check these again, and find out where the others came from."
    )
