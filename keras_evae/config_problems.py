"""What is wrong with a configuration, in one line: the key, what was expected, what was found.

pydantic finds the problems; here they get the words of a configuration file.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

from pydantic import BaseModel, ValidationError

from keras_evae.errors import ConfigError, in_brief

# What to write, where pydantic names a Python type.
EXPECTED = {"tuple_type": "a list, such as [1, 2]", "model_type": "a section with keys"}


class Mismatch(ValueError):
    """Two keys, each valid, that do not fit together."""


def mismatch(key: str, expected: str, found: Any) -> Mismatch:
    """The error of a key whose value does not fit to another one."""
    return Mismatch(f"{key}: expected {expected}, found {in_brief(found)}")


def first_problem(error: ValidationError, model: type[BaseModel]) -> str:
    """The first problem of a model's validation in one line, and how many more there are."""
    problems = error.errors()
    first = problems[0]
    places = {_dotted(problem["loc"]) for problem in problems}
    more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, (Mismatch, ConfigError)):
        return str(cause)
    key = _dotted(first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key{_nearest(key.split('.'), model)}{more}"
    if first["type"] == "missing":
        return f"{key}: expected a value, found none{more}"
    expected = EXPECTED.get(first["type"]) or str(cause or re.sub(r"^Input should be ", "", first["msg"]))
    return f"{key}: expected {expected[0].lower() + expected[1:]}, found {in_brief(first['input'])}{more}"


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location if not _is_union_branch(part))


def _is_union_branch(part: Any) -> bool:
    # pydantic inserts the name of the union's member into the location, such as "tuple[...]" or "literal[...]".
    return isinstance(part, str) and ("constrained-" in part or "[" in part)


def _nearest(keys: list[str], section: type[BaseModel]) -> str:
    """The known key of a section that is most like the unknown one, or all known keys."""
    for key in keys[:-1]:
        annotation: Any = section.model_fields[key].annotation
        # The first member of "a section or none".
        section = getattr(annotation, "__args__", (annotation,))[0]
    known = list(section.model_fields)
    match = difflib.get_close_matches(keys[-1], known, n=1)
    return f", did you mean '{match[0]}'?" if match else f", expected one of: {', '.join(known)}"
