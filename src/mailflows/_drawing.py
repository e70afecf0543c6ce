"""The axes that a chart is drawn on, in the colours of the page around them; matplotlib is optional."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mailflows.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["axes", "darken"]


@contextmanager
def axes(ax: Any, size: tuple[float, float], *, dark: bool) -> Iterator[Any]:  # noqa: ANN401 -- matplotlib is optional
    """Give axes to draw on: those that somebody made, or new ones of a size in inches.

    Raises:
        MissingExtra: If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt  # noqa: PLC0415 -- optional
    except ImportError as error:
        raise MissingExtra("notebook", "matplotlib") from error  # noqa: EM101 -- a name, no message
    if ax is not None:
        if not dark:  # as whoever made them has it
            yield ax
            return
        darken(ax)
    with plt.style.context("dark_background" if dark else "default"):
        yield ax if ax is not None else plt.subplots(figsize=size, layout="constrained")[1]


def darken(ax: Any) -> None:  # noqa: ANN401 -- as above
    """Make axes that somebody made fit a dark page, with their figure."""
    ax.figure.set_facecolor("black")
    ax.set_facecolor("black")
    ax.tick_params(colors="white", which="both")
    for part in (*ax.spines.values(), ax.xaxis.label, ax.yaxis.label, ax.title):
        (part.set_edgecolor if hasattr(part, "set_edgecolor") else part.set_color)("white")
