"""What is wrong with a command line, in our own words."""

from __future__ import annotations

import difflib
from typing import Any


def describe_usage(error: Any) -> str:
    """Return one line on a usage error of the command line's library: what, expected, remedy.

    The library keeps its error classes to itself, so they are told apart by name.
    """
    context = error.ctx
    command = context.command_path if context is not None else "reasonrl"
    parameter = getattr(error, "param", None)
    name = _name_of(parameter)
    match type(error).__name__:
        case "NoSuchOption":
            near = difflib.get_close_matches(
                error.option_name, _options_of(context), n=1, cutoff=0.7
            )
            return _line(f"no option {error.option_name}", near, command)
        case "MissingParameter":
            return f"{name} is missing; see `{command} -h`"
        case "BadParameter":
            return f"{_value_fault(name, error.__cause__)}; see `{command} -h`"
    words = str(error.message).split("'")
    known = [*getattr(getattr(context, "command", None), "commands", {})]
    if known and len(words) > 1:
        return _line(
            f"no command {words[1]!r}", difflib.get_close_matches(words[1], known, n=1), command
        )
    if "extra argument" in error.message:
        extra = str(error.message).rpartition("(")[2].rstrip(")")
        return f"too many arguments: {extra}; see `{command} -h`"
    return f"this command line cannot be read; see `{command} -h`"


def _value_fault(name: str, cause: object) -> str:
    """Return what is wrong with an option's value; `cause` is the validator's own error."""
    from pydantic import ValidationError

    from reasonrl.recipe.faults import fault_of

    if not isinstance(cause, ValidationError):
        return f"{name} cannot have this value"
    first = dict(cause.errors()[0])
    what, expected = fault_of(first, name, repr(first["input"]))
    return f"{what}; expected {expected}" if expected else what


def _name_of(parameter: Any) -> str:
    """Return an option's longest spelling, or the capital letters of an argument in the help."""
    options = [str(word) for word in getattr(parameter, "opts", ()) if word.startswith("-")]
    if options:
        return max(options, key=len)
    return str(getattr(parameter, "metavar", None) or getattr(parameter, "name", "")).upper()


def _line(what: str, near: list[str], command: str) -> str:
    question = f"; did you mean {near[0]}?" if near else ""
    return f"{what}{question}; see `{command} -h`"


def _options_of(context: Any) -> list[str]:
    if context is None:
        return []
    return [name for parameter in context.command.params for name in parameter.opts]
