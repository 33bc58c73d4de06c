"""Errors: four parts in one line, and members of the standard library's errors."""

import pytest

from reasonrl import errors


def test_a_whole_error_reads_as_one_line():
    error = errors.ConfigError(
        "group_size = 1", where="recipe.toml", expected="at least 2", remedy="set group_size >= 2"
    )
    assert str(error) == "recipe.toml: group_size = 1; expected at least 2; set group_size >= 2"


def test_empty_parts_leave_no_trace():
    assert str(errors.DataError("no rows")) == "no rows"
    assert str(errors.DataError("no rows", remedy="add a row")) == "no rows; add a row"


@pytest.mark.parametrize(
    ("error", "standard"),
    [
        (errors.ConfigError, ValueError), (errors.DataError, ValueError),
        (errors.ModelError, ValueError), (errors.CheckpointError, ValueError),
        (errors.StorageError, OSError), (errors.VerifierError, RuntimeError),
        (errors.EngineError, RuntimeError), (errors.EngineLost, errors.EngineError),
    ],
)  # fmt: skip
def test_every_error_is_also_one_of_the_standard_library(error, standard):
    assert issubclass(error, errors.ReasonRLError)
    assert issubclass(error, standard)
    assert str(error("broken", where="here")) == "here: broken"
