"""Errors that a user can mend, each with the exit code its command leaves with; values in few words, and numbers.

The message is one line: what was expected, what was found, how to mend it.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import operator
from collections.abc import Sequence
from typing import Any

# Of files whose format is no longer read.
TOO_OLD = "written by a version before 0.1.0, which this one cannot use"
# Characters of a value in a message; a mask has thousands.
LONGEST_VALUE = 100


def in_brief(value: Any) -> str:
    """A value as a message shows it: the beginning and the end of a long one."""
    text = repr(value)
    half = LONGEST_VALUE // 2
    return text if len(text) <= LONGEST_VALUE else f"{text[:half]} ... {text[-half:]}"


def changed_fields(instance: Any, always: Sequence[str] = (), **texts: str) -> str:
    """`Class(name=value, ...)` of a dataclass: arguments `always` and those that are changed, some by other texts."""
    shown = {
        field.name: texts.get(field.name, repr(getattr(instance, field.name)))
        for field in dataclasses.fields(instance)
        if field.init and (field.name in always or repr(getattr(instance, field.name)) != repr(field.default))
    }
    return f"{type(instance).__name__}({', '.join(f'{name}={text}' for name, text in shown.items())})"


class ArgumentError(ValueError):
    """An argument that cannot be used, by its name: a configuration reports it under that of the key.

    Args:
        name: Of the argument.
        expected: What it must be, in words.
        found: What it is.
    """

    def __init__(self, name: str, expected: str, found: Any) -> None:
        super().__init__(f"`{name}` must be {expected}. Received: {name}={in_brief(found)}")
        self.name, self.expected, self.found = name, expected, found


def as_integer(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """An argument that is an integer of any type, NumPy's too, as Python's; an `ArgumentError` for anything else."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or (least is not None and number < least):
        raise ArgumentError(name, "an integer" if least is None else f"an integer of at least {least}", value)
    if most is not None and number > most:
        raise ArgumentError(name, f"an integer of at most {most}", value)
    return number


def as_number(name: str, value: Any, positive: bool = False) -> int | float:
    """An argument that is a finite real number of any type as Python's int or float; an `ArgumentError` otherwise."""
    number, kind = None, getattr(getattr(value, "dtype", None), "kind", "")
    real = isinstance(value, numbers.Real) or (kind != "" and kind in "iuf")
    if real and not isinstance(value, bool) and getattr(value, "ndim", 0) == 0:
        number = int(value) if isinstance(value, numbers.Integral) else float(value)
    if number is None or not math.isfinite(number) or (positive and number <= 0):
        raise ArgumentError(name, "a finite number above 0" if positive else "a finite number", value)
    return number


class EVAEError(Exception):
    """Base of all errors that are reported as one line instead of a traceback."""

    exit_code = 1


class ConfigError(EVAEError, ValueError):
    """A configuration file or override that cannot be used."""

    exit_code = 2


class DataError(EVAEError):
    """A file that is missing, damaged or not what its name says."""

    exit_code = 3


class MismatchError(EVAEError):
    """Two artefacts, each valid, that do not belong together."""

    exit_code = 4


class DiskError(EVAEError):
    """Not enough room on the disk."""

    exit_code = 5


class LockedError(EVAEError):
    """Another process is at work on the same files."""

    exit_code = 6


class NumericalError(EVAEError):
    """NaN or Inf where a finite number is needed."""

    exit_code = 7


class ClusterError(EVAEError):
    """The machines that worked for this process are lost."""
