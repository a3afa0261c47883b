"""Errors that a user can mend, each with the exit code its command leaves with; and values in few words.

The message is one line: what was expected, what was found, how to mend it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

# Of files whose format is no longer read.
TOO_OLD = "written by a version before 0.1.0, which this one cannot use"
# Characters of a value in a message; a mask has thousands.
LONGEST_VALUE = 100
# Characters of a whole message.
LONGEST_LINE = 1000


def in_brief(value: Any) -> str:
    """A value as a message shows it: the beginning and the end of a long one."""
    return shortened(repr(value), LONGEST_VALUE)


def one_line(message: object) -> str:
    """A message in one line of a length that can be read."""
    return shortened(" ".join(str(message).split("\n")), LONGEST_LINE)


def shortened(text: str, longest: int) -> str:
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]} ... {text[-half:]}"


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


class ResourceError(EVAEError):
    """Not enough memory, or not enough room on the disk."""

    exit_code = 5


class DiskError(ResourceError):
    """Not enough room on the disk, or a disk that cannot be written."""


class LockedError(EVAEError):
    """Another process is at work on the same files."""

    exit_code = 6


class NumericalError(EVAEError):
    """NaN or Inf where a finite number is needed."""

    exit_code = 7


class ClusterError(EVAEError):
    """The machines that worked for this process are lost."""
