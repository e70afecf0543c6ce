"""The chart of a list: the predicted rate, and the limit of each policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailflows._drawing import axes
from mailflows.recipients._bounce_rate import Advice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows.recipients._bounce_rate import PolicyVerdict, Prediction

__all__ = ["draw"]

_COLOURS = {Advice.GO: "#3a9b46", Advice.SAMPLE_FIRST: "#d9a400", Advice.STOP: "#d64545"}
"""Legible on white and on black."""


def draw(
    policies: Sequence[PolicyVerdict],
    prediction: Prediction,
    ax: Any,  # noqa: ANN401 -- matplotlib is optional
    *,
    addresses: int,
    dark: bool,
) -> Any:  # noqa: ANN401 -- matplotlib is optional
    """Plot the predicted rate with its interval against the limits."""
    with axes(ax, (8, 0.5 * len(policies) + 2.2), dark=dark) as drawn:
        from matplotlib.patches import Patch  # noqa: PLC0415 -- optional

        names = [verdict.policy.name for verdict in policies]
        limits = [verdict.policy.hard_bounce for verdict in policies]
        drawn.barh(names, limits, color=[_COLOURS[verdict.advice] for verdict in policies])
        band = drawn.axvspan(prediction.low, prediction.high, color="0.5", alpha=0.35)
        line = drawn.axvline(prediction.rate, color="0.9" if dark else "0.1")
        drawn.invert_yaxis()
        drawn.set_title(f"Predicted hard bounces of {addresses} addresses: {prediction}")
        drawn.set_xlabel("share of hard bounces; each bar ends at the limit of its policy")
        drawn.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        handles = [Patch(color=colour, label=f"advice: {advice}") for advice, colour in _COLOURS.items()]
        labels = ["predicted rate", "90 % interval of the prediction"]
        drawn.legend(
            [line, band, *handles], labels + [handle.get_label() for handle in handles], fontsize="small"
        )
    return drawn
