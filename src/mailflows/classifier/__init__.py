"""The classifier: from signals to a flow, with probabilities and reasons.

`classify` uses the shipped model; a `Classifier` can be given another model or threshold.
"""

from __future__ import annotations

from mailflows.classifier._classification import Classification
from mailflows.classifier._classifier import Classifier, classify
from mailflows.classifier._model import Model

__all__ = [
    "Classification",
    "Classifier",
    "Model",
    "classify",
]
