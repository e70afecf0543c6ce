"""Errors: one tree, each also the built-in that it resembles, with its facts as data."""

from __future__ import annotations

import pickle

import pytest

from mailflows import errors
from mailflows.errors import (
    ConfigurationError,
    MailflowsError,
    MessageError,
    MissingExtra,
    ModelError,
)

ALL = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("error", ALL)
def test_one_root(error: type[Exception]) -> None:
    """Whoever catches `MailflowsError` catches every error of the library."""
    assert issubclass(error, MailflowsError)


@pytest.mark.parametrize(
    ("error", "built_in"),
    [
        (MessageError, ValueError),
        (ModelError, RuntimeError),
        (ConfigurationError, ValueError),
        (MissingExtra, ImportError),
    ],
)
def test_also_the_built_in(error: type[Exception], built_in: type[Exception]) -> None:
    """Each error is caught by code that only knows the built-in ones."""
    assert issubclass(error, built_in)


@pytest.mark.parametrize("error", ALL)
def test_the_tree_is_drawn(error: type[Exception]) -> None:
    """The drawing at the top of the module names every error."""
    assert error.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("name", [error.__name__ for error in ALL])
def test_docstring(name: str) -> None:
    """Every error says when it is raised."""
    assert getattr(errors, name).__doc__


def test_message_error_says_where() -> None:
    """`MessageError.position` is an offset in bytes, or None where nothing was read."""
    assert MessageError("no header", position=3).position == 3
    assert MessageError("no file").position is None


def test_model_error_compares() -> None:
    """`ModelError` carries what was needed and what was found."""
    error = ModelError("another schema", expected=1, found=2)
    assert (error.expected, error.found, str(error)) == (1, 2, "another schema")


def test_configuration_error_names_the_setting() -> None:
    """`ConfigurationError.field` is the setting to look at."""
    assert ConfigurationError("too large", field="threshold").field == "threshold"


def test_missing_extra_names_the_command() -> None:
    """`MissingExtra` says what to type."""
    error = MissingExtra("progress", "tqdm")
    assert str(error) == "tqdm is needed here; in your copy of mailflows: pip install '.[progress]'"
    assert error.extra == "progress"


@pytest.mark.parametrize(
    "error",
    [MessageError("a", position=1), ModelError("a", expected=1, found=2)],
    ids=lambda error: type(error).__name__,
)
def test_errors_cross_processes(error: MailflowsError) -> None:
    """An error that a worker process raised arrives with its facts."""
    other = pickle.loads(pickle.dumps(error))
    assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize(
    "error",
    [ConfigurationError("a", field="b"), MissingExtra("progress", "tqdm")],
    ids=lambda error: type(error).__name__,
)
def test_errors_with_required_facts_cross_processes(error: MailflowsError) -> None:
    """So does an error that cannot be made without its facts."""
    other = pickle.loads(pickle.dumps(error))
    assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))
