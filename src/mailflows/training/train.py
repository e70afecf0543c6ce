"""The whole path from labelled messages to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailflows._result import number_of
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.training.fitting import Recipe, Trained, data_digest, fit, see
from mailflows.training.holdout import calibrate, fewer_folds, left_out, source_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows.training.corpus import Example

__all__ = ["train"]

FOLDS = 10  # choice: the usual number; each fold is a fit


def train(
    examples: Sequence[Example],
    *,
    extra: Sequence[Example] = (),
    recipe: Recipe | None = None,
    n_jobs: int = 1,
    about: dict[str, Any] | None = None,
) -> Trained:
    """Train a model on labelled messages.

    Temperature and threshold are fitted on sources held out of training, so that a confidence of 0.9 means
    nine right answers in ten on mail from unseen senders.

    Args:
        examples: From `mailflows.training.load_corpus`; at least two sources per flow.
        extra: Messages used only for training, at their own weight, such as templates.
        recipe: Settings; the defaults are those of the shipped model.
        n_jobs: Processes for measuring and for the folds.
        about: Any information to store in the model file.

    Raises:
        ConfigurationError: If a flow has no message, or there are fewer than two sources.
    """
    groups = source_groups(examples)
    _require_sources(examples, groups)
    recipe = recipe or Recipe()
    seeing = see((*examples, *extra), n_jobs=n_jobs)
    folds = fewer_folds(groups, min(FOLDS, len(set(groups))))
    temperature, threshold = calibrate(left_out(seeing, recipe, groups=folds, n_jobs=n_jobs))
    facts = {
        "messages": len(examples),
        "extra_messages": len(extra),
        "sources": len({e.source for e in examples}),
        "data_digest": data_digest((*examples, *extra)),
        **(about or {}),
    }
    return fit(seeing, recipe, temperature=temperature, threshold=threshold, about=facts)


def _require_sources(examples: Sequence[Example], groups: Sequence[str]) -> None:
    """Refuse what cannot be calibrated: each flow must remain when a source is left out."""
    for flow in Flow:
        mine = {group for e, group in zip(examples, groups, strict=True) if e.label == flow}
        if len(mine) < 2:
            msg = (
                f"the flow {flow.value!r} has messages from {number_of(len(mine), 'source')}; "
                "at least two are needed, because whole sources are left out to calibrate"
            )
            raise ConfigurationError(msg, field="examples")
