"""Errors that a user can mend, each with its command's exit code; arguments and JSON checked, faults of reading told.

The message is one line: what was expected, what was found, how to mend it.
"""

import contextlib
import dataclasses
import errno
import math
import numbers
import operator
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Characters of a value in a message; a mask has thousands.
LONGEST_VALUE = 100
# What mends a damaged file that nothing makes again.
RESTORE = "restore it from a copy"
# How the operating system says that another process holds a lock.
BUSY = (errno.EWOULDBLOCK, errno.EACCES)
NOT_PERMITTED = (errno.EACCES, errno.EPERM)
# What libraries say of a file that does not begin like one of theirs.
ANOTHER_KIND = ("file signature not found", "not a zip file", "magic string is not correct")
# Characters of a whole message.
LONGEST_LINE = 1000


def in_brief(value: Any) -> str:
    """A value as a message shows it, in one line: the beginning and the end of a long one."""
    return shortened(" ".join(map(str.strip, repr(value).splitlines())), LONGEST_VALUE)


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
    """An argument that cannot be used, with what was expected in words: a configuration reports it under its key."""

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


def as_number(name: str, value: Any, positive: bool = False, largest: float = math.inf) -> int | float:
    """An argument that is a finite real number of any type as Python's int or float; an `ArgumentError` otherwise."""
    number, kind = None, getattr(getattr(value, "dtype", None), "kind", "")
    real = isinstance(value, numbers.Real) or (kind != "" and kind in "iuf")
    if real and not isinstance(value, bool) and getattr(value, "ndim", 0) == 0:
        number = int(value) if isinstance(value, numbers.Integral) else float(value)
    if number is None or not math.isfinite(number) or (positive and number <= 0):
        raise ArgumentError(name, "a finite number above 0" if positive else "a finite number", value)
    if abs(number) > largest:
        raise ArgumentError(name, f"a number of at most {largest:g} in magnitude", value)
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


class ResourceError(EVAEError):
    """Not enough memory, or not enough room on the disk."""

    exit_code = 5


class DiskError(ResourceError):
    """A disk that does not do what is asked of it: it is full, has no locks, permits nothing, or fails."""


class LockedError(EVAEError):
    """Another process is at work on the same files."""

    exit_code = 6


class NumericalError(EVAEError):
    """NaN or Inf where a finite number is needed."""

    exit_code = 7


class ClusterError(EVAEError):
    """The machines that worked for this process are lost."""


@contextlib.contextmanager
def reading_errors(path: str | Path, remedy: str = RESTORE) -> Iterator[None]:
    """Turns what a library raises while it reads a file into the error of `reading_fault`.

    Only the calls of the library belong into the block: what a caller does with the content fails on its own account.
    """
    try:
        yield
    except EVAEError:
        raise
    # Damaged files make libraries raise almost anything.
    except Exception as error:
        raise reading_fault(path, error, remedy) from error


def reading_fault(path: str | Path, error: Exception, remedy: str = RESTORE) -> EVAEError:
    """What has kept a library from reading a file, from the error that the library has raised.

    Args:
        remedy: What mends the file if it is damaged: said only where a checksum or the format shows the damage.

    Returns:
        LockedError, if another program writes to the file; DiskError, if the file system or a permission is in the
        way; ResourceError, if the content has no room in memory; DataError, if there is no such file, a filter is
        missing, or the content is damaged or of another kind.
    """
    lines = str(error).splitlines() or [type(error).__name__]
    reason, number, path = lines[0].strip("'\""), _error_number(error), Path(path).absolute()
    if "already open for write" in reason:
        return LockedError(
            f"{path}: expected a file that no program writes to, found one that is open for writing, or was when its "
            f"program was killed; close it there, or after a kill run h5clear --status {path}"
        )
    if "unable to lock file" in reason and number in BUSY:
        return LockedError(f"{path}: another program has it open for writing; close it there, then try again")
    if "unable to lock file" in reason:
        return DiskError(f"{path}: its file system has no locks; set HDF5_USE_FILE_LOCKING=FALSE to read without them")
    if number in (errno.ENOENT, errno.ENOTDIR):
        return DataError(f"{path}: expected a file, found no file")
    if number == errno.EISDIR:
        return DataError(f"{path}: expected a file, found a folder")
    if number in NOT_PERMITTED:
        return DiskError(f"{path}: cannot be read ({os.strerror(number)}); ask its owner for the permission")
    if number:
        return DiskError(f"{path}: cannot be read ({os.strerror(number)}); the disk fails, the file may be sound")
    if isinstance(error, MemoryError):
        return ResourceError(f"{path}: expected content that fits into memory ({reason})")
    if any(words in reason for words in ANOTHER_KIND):
        return DataError(f"{path}: of another kind, or cut off at its beginning ({reason}); move it away")
    return DataError(f"{path}: truncated or damaged ({reason}); {remedy}")


def validate_json(path: str | Path, content: bytes | str, kind: Any, remedy: str = RESTORE) -> Any:
    """Strict JSON, which knows neither NaN nor infinity (`files.json_text` writes it), as a type that pydantic knows.

    Raises:
        DataError: With the first place at which something else was found.
    """
    # Imported here: the front door needs none of it.
    import pydantic
    import pydantic_core

    path = Path(path).absolute()
    try:
        return pydantic.TypeAdapter(kind).validate_python(pydantic_core.from_json(content, allow_inf_nan=False))
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        found = f"{f'{place}: ' if place else ''}{problem['msg']}, found {in_brief(problem['input'])}"
        raise DataError(f"{path}: {found}; {remedy}") from error
    except ValueError as error:
        raise DataError(f"{path}: Invalid JSON: {error}; {remedy}") from error


def _error_number(error: Exception) -> int:
    """Number of the operating system's error; 0 if it was none. HDF5 tells some in its message only."""
    told = re.search(r"errno = (\d+)", str(error))
    return getattr(error, "errno", None) or int(told[1] if told else 0)
