"""What a verdict says of itself, and how a threshold is found, over verdicts made by hand."""

from __future__ import annotations

import re

import pytest

from mailflows import Flow
from mailflows.classifier import Classification
from mailflows.classifier._calibration import FEWEST, calibration
from mailflows.classifier._reasons import reason

FOR = reason("subject-number", "the subject has a reference number", 2.0)
ALSO = reason("links-object", "it has a link to an order", 0.5)
AGAINST = reason("links-many", "it has many links", -4.0)
SETTLED = reason("rule-automatic-reply", "a server answered", 0.0)
DEFECT = reason("defect-encrypted", "its content is encrypted", 0.0)


def verdict(
    *reasons: object,
    flow: Flow | None = Flow.TRANSACTIONAL,
    likely: Flow | None = Flow.TRANSACTIONAL,
    confidence: float = 0.9,
    marketing: float = 0.075,
    threshold: float = 0.8,
) -> Classification:
    """Return a verdict as the classifier makes it."""
    shares = {
        Flow.PROFESSIONAL: 1 - confidence - marketing,
        Flow.MARKETING: marketing,
        Flow.TRANSACTIONAL: confidence,
    }
    return Classification(flow, likely, confidence, shares, 3.0, tuple(reasons), (), "en", threshold, "m 1")  # type: ignore[arg-type]


def test_a_verdict_is_sure_or_it_is_not() -> None:
    """True and False, not something like it."""
    assert verdict(FOR).is_sure is True
    assert verdict(FOR, flow=None).is_sure is False


def test_the_rest_is_what_no_reason_tells() -> None:
    """The score less what the reasons weigh, for and against."""
    assert verdict(FOR, ALSO).rest == pytest.approx(0.5)
    assert verdict(FOR, AGAINST).rest == pytest.approx(5.0)
    assert verdict(SETTLED).rest == pytest.approx(3.0)


def test_marketing_is_weighed_against_what_else_machines_send() -> None:
    """Given that no person wrote it; a half where a person surely did."""
    assert verdict(confidence=0.6, marketing=0.2).marketing_if_machine_made == pytest.approx(0.25)
    assert verdict(confidence=0.6, marketing=0.2).machine_made == pytest.approx(0.8)
    assert verdict(confidence=0.0, marketing=0.0).marketing_if_machine_made == 0.5


def test_a_line_names_the_flow_and_what_speaks_for_it() -> None:
    """Three reasons at most, a rule among them, and never what speaks against it."""
    said = "transactional 90%: the subject has a reference number; it has a link to an order"
    assert str(verdict(FOR, ALSO, AGAINST)) == said
    assert str(verdict(SETTLED)) == "transactional 90%: a server answered"
    assert str(verdict(DEFECT, AGAINST)) == "transactional 90%: no single reason stands out"
    many = [reason("links-object", name, 1.0) for name in ("one", "two", "three", "four")]
    assert str(verdict(*many)) == "transactional 90%: one; two; three"
    unsure = verdict(FOR, flow=None, confidence=0.7)
    assert str(unsure) == "unsure (perhaps transactional) 70%: the subject has a reference number"
    nothing = verdict(DEFECT, flow=None, likely=None)
    assert str(nothing) == "unsure: its content is encrypted"


@pytest.mark.parametrize(
    ("confidence", "said"),
    [(0.985, "98%"), (0.99, "99%"), (0.991, "over 99%"), (1.0, "100%"), (0.5, "50%")],
)
def test_a_probability_is_never_rounded_up_to_certain(confidence: float, said: str) -> None:
    """What is above 99% is said to be that."""
    assert str(verdict(FOR, confidence=confidence)).startswith(f"transactional {said}: ")


@pytest.mark.parametrize(("marketing", "said"), [(0.0, "0%"), (0.009, "under 1%"), (0.01, "1%")])
def test_nor_down_to_impossible(marketing: float, said: str) -> None:
    """What is below 1% is said to be that; the second flow stands in the paragraph."""
    told = verdict(flow=None, confidence=1 - marketing, marketing=marketing).explain()
    assert f"({said})" in told


def test_a_paragraph_of_a_sure_verdict_says_what_speaks_for_it() -> None:
    """And a defect, where there is one."""
    assert verdict(DEFECT, FOR, AGAINST).explain() == (
        "This is transactional mail (90% sure). Note: its content is encrypted. "
        "In favour of transactional: the subject has a reference number."
    )


def test_a_paragraph_of_an_unsure_verdict_says_what_else_it_may_be() -> None:
    """With the threshold that was missed, and what speaks against it, the first three."""
    against = [reason("links-many", name, -1.0) for name in ("one", "two", "three", "four")]
    unsure = verdict(FOR, *against, flow=None, confidence=0.7, marketing=0.2, threshold=0.85)
    assert unsure.explain() == (
        "It is not clear which flow this is: transactional is most likely, but only 70% sure, and the "
        "threshold is 85%. In favour of transactional: the subject has a reference number. "
        "Against it: one; two; three. It could also be marketing (20%)."
    )


def test_what_misses_the_threshold_narrowly_is_not_rounded_up_to_it() -> None:
    """If 90% missed a threshold of 90%, nobody would understand why."""
    told = verdict(FOR, flow=None, confidence=0.896, threshold=0.9).explain()
    assert "but only 89.6% sure, and the threshold is 90%." in told


def test_what_was_not_wholly_read_is_told_apart_from_what_is_unsure() -> None:
    """The confidence reaches the threshold, and no flow was chosen all the same."""
    told = verdict(FOR, flow=None, confidence=0.8, threshold=0.8).explain()
    assert told.startswith("No flow was chosen. The readable part looks like transactional mail (80%).")
    assert "not clear" in verdict(FOR, flow=None, confidence=0.79, threshold=0.8).explain()


def test_a_table_says_which_side_a_reason_takes() -> None:
    """For, against, or settled; the strongest fills the bar, whichever side it is on."""
    found = verdict(SETTLED, FOR, AGAINST)
    assert [row[0] for row in found.rows()] == ["settles it", "for", "against"]
    page = found._repr_html_()
    assert "transactional, 90% sure" in page
    widths = [float(width) for width in re.findall(r"width:([\d.]+)em", page.split("Why")[1])]
    assert widths == [0, 4, 8]
    assert "width:" in verdict(SETTLED)._repr_html_()


def test_the_row_of_a_verdict_says_why() -> None:
    """What speaks for it; else its first reason; else nothing."""
    why = [verdict(*reasons)._cells()["why"] for reasons in ((AGAINST, FOR), (DEFECT, AGAINST), ())]
    assert why == ["the subject has a reference number", "its content is encrypted", ""]


def answers(*rows: tuple[float, bool]) -> tuple[list[Classification], list[Flow]]:
    """Return a verdict a row, with its confidence, and flows of which it is right or not."""
    found = [verdict(confidence=confidence, threshold=0) for confidence, _ in rows]
    return found, [Flow.TRANSACTIONAL if is_right else Flow.MARKETING for _, is_right in rows]


def test_a_threshold_keeps_what_reaches_it() -> None:
    """The lowest at which enough of the kept are right; what has just that confidence is kept."""
    found = calibration(*answers(*[(0.5, False)] * 10, *[(0.7, True)] * 30), right=0.9)
    assert (found.threshold, found.coverage, found.right, found.messages) == (0.51, 0.75, 1.0, 40)
    found = calibration(*answers(*[(0.5, False)] * 1, *[(0.51, True)] * 9, *[(0.7, True)] * 30), right=1)
    assert (found.threshold, found.coverage) == (0.51, 39 / 40)
    assert str(found) == "threshold 0.51 classifies 98% of 40 messages, 100.0% of these correctly"


def test_the_share_that_is_asked_for_is_enough() -> None:
    """Nine of ten are 0.9."""
    found = calibration(*answers(*[(0.5, False)] * 3, *[(0.6, True)] * 27), right=0.9)
    assert (found.threshold, found.right) == (0.34, 0.9)


def test_where_no_threshold_reaches_the_share_the_highest_says_so() -> None:
    """It is given with what it reaches, or with nothing kept."""
    found = calibration(*answers(*[(0.995, False)] * 15, *[(0.995, True)] * 15), right=0.9)
    assert (found.threshold, found.coverage, found.right) == (0.99, 1.0, 0.5)
    found = calibration(*answers(*[(0.9, False)] * 30), right=0.9)
    assert (found.threshold, found.coverage, found.right) == (0.99, 0.0, 0.0)


def test_what_was_not_wholly_read_is_kept_at_no_threshold() -> None:
    """Its confidence says nothing of the part that was not read."""
    read, flows = answers(*[(0.9, True)] * FEWEST)
    unread = [verdict(flow=None, confidence=0.9, threshold=0.9), verdict(flow=None, likely=None)] * 15
    found = calibration([*read, *unread], [*flows, *[Flow.MARKETING] * 30], right=1.0)
    assert (found.coverage, found.right) == (0.5, 1.0)


def test_every_message_needs_its_flow() -> None:
    """One flow less is refused, with both numbers."""
    read, flows = answers(*[(0.9, True)] * FEWEST)
    assert calibration(read, flows, right=1.0).messages == FEWEST
    with pytest.raises(ValueError, match="not 30 messages and 29 flows"):
        calibration(read, flows[1:], right=1.0)
    with pytest.raises(ValueError, match="at least 30"):
        calibration(read[1:], flows[1:], right=1.0)
