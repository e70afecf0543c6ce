"""Train and evaluate a classifier on labelled mail; the only part that uses scikit-learn.

A corpus is a folder ``label/source/*.eml``. `train` returns a model whose file `Classifier.load`
reads; `evaluate` judges by leaving whole sources out.
"""

from __future__ import annotations

from mailflows.training.corpus import Example, load_corpus
from mailflows.training.estimator import FlowClassifier
from mailflows.training.evaluation import evaluate
from mailflows.training.fitting import Recipe
from mailflows.training.train import train
from mailflows.training.vectorize import SignalVectorizer

__all__ = [
    "Example",
    "FlowClassifier",
    "Recipe",
    "SignalVectorizer",
    "evaluate",
    "load_corpus",
    "train",
]
