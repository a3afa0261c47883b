"""How a configuration is written: YAML, `section.key=value`, types of values, the line that says what is wrong."""

import dataclasses
import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from keras_evae.errors import ArgumentError, ConfigError, in_brief, one_line
from keras_evae.files import expand_path
from keras_evae.lattice import LARGEST_SIDE, check_side
from keras_evae.monte_carlo.schedule import PRESETS
from keras_evae.terms import EnergyTerm


def parse_yaml(text: str, source: str) -> Any:
    """The values of a YAML text: numbers, words, truth values, lists and mappings; None for an empty one.

    Raises:
        ConfigError: With one line that names the source of the text, the line and what is wrong.

    Example:

    >>> parse_yaml("{betas: [1e-6, 1e-5], seed: 010}", "example")
    {'betas': [1e-06, 1e-05], 'seed': 10}
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        _check_size(node, {})
        return None if node is None else loader.construct_document(node)
    except RecursionError as error:
        raise ConfigError(
            f"{source}: expected sections with keys, found lists or sections nested too deeply"
        ) from error
    # Tags, such as !!bool, make the loader raise almost anything.
    except Exception as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}: line {mark.line + 1}" if mark else source
        told = error if isinstance(error, yaml.YAMLError) else "a value that does not fit its tag, such as !!bool"
        raise ConfigError(one_line(f"{where}: {getattr(error, 'problem', None) or told}")) from error


def _check_size(node: yaml.Node | None, known: dict[int, int]) -> int:
    """Values in a node, those of repeated ones (`*name`) counted at each place, which `known` remembers."""
    if id(node) not in known:
        # A node that contains itself counts as too many.
        known[id(node)] = MOST_VALUES
        content = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = (part for item in content for part in (item if isinstance(item, tuple) else (item,)))
        known[id(node)] = 1 + sum(_check_size(part, known) for part in parts)
    if node is not None and known[id(node)] >= MOST_VALUES:
        problem = f"expected fewer than {MOST_VALUES} values, found more, or a value that contains itself"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return known[id(node)]


MERGE = "tag:yaml.org,2002:merge"
# Of a whole file, and of one number.
MOST_VALUES, MOST_DIGITS = 100_000, 30


class _Loader(yaml.SafeLoader):
    """Safe loader that reads numbers as YAML 1.2 does and refuses a key given twice."""

    # PyYAML's own table is YAML 1.1, where 1e-6 is a string and 010 is eight.
    yaml_implicit_resolvers: dict[str, Any] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            merged = key_node.tag == MERGE
            key = "<<" if merged else self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in seen:
                named = isinstance(key, str)
                problem = f"key '{key}' is given twice" if named else f"expected a name as key, found {key!r}"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(true|false)$", re.IGNORECASE), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(~|null|)$", re.IGNORECASE), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.inf$|\.nan$", re.IGNORECASE),
    list("-+.0123456789"),
)
_Loader.add_implicit_resolver(MERGE, re.compile(r"<<$"), ["<"])


def _read_integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    digits = str(node.value)
    if len(digits) > MOST_DIGITS:
        problem = f"expected a number of at most {MOST_DIGITS} digits, found one of {len(digits)}"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return int(digits)


_Loader.add_constructor("tag:yaml.org,2002:int", _read_integer)


# The largest sensible values. What a machine has no memory or disk for is smaller still, see `runs.resources`.
Switch = Literal["auto", True, False]
Count = Annotated[int, Field(gt=0, le=100_000_000)]
CountFromZero = Annotated[int, Field(ge=0, le=100_000_000)]
Units = Annotated[int, Field(gt=0, le=1_000_000)]
Workers = Annotated[int, Field(gt=0, le=10_000)]
# Within them squares, and products with losses, are finite in single precision, and not zero.
Positive = Annotated[float, Field(ge=1e-15, le=1e15, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Coupling = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _increasing(values: tuple[float, ...]) -> tuple[float, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError("increasing values, each once: stages follow one another from the weak to the strong")
    names = [f"{value:g}" for value in values]
    if len(set(names)) < len(names):
        raise ValueError("values that differ in their first six digits, which name their stages")
    return values


def _spell_out_schedule(value: Any) -> Any:
    """The keys of a schedule that is given by its name; anything else as it is."""
    if not isinstance(value, str):
        return value
    if value not in PRESETS:
        raise ValueError(f"one of {', '.join(PRESETS)}, or a section with keys")
    return dataclasses.asdict(PRESETS[value])


# A schedule by its name becomes its numbers: files that a program writes hold nothing else.
SpelledOut = BeforeValidator(_spell_out_schedule)
# An energy term is Python, which no file brings along: files hold its text, `with_terms` adds the object.
Term = Annotated[
    str | InstanceOf[EnergyTerm],
    PlainSerializer(lambda term: term if isinstance(term, str) else repr(term), when_used="json"),
]
# A side of a sample; the bound keeps a slip of the pen from filling the memory.
# The encoder halves each side four times.
Extent = Annotated[int, Field(gt=0, le=LARGEST_SIDE)]
Side = Annotated[int, Field(gt=0, le=LARGEST_SIDE), AfterValidator(check_side)]
# YAML has lists only; `strict=False` lets a list become a tuple while its items stay strict.
AsTuple = Field(strict=False, min_length=1, max_length=1000)
Ladder = Annotated[tuple[Annotated[Positive, Field(strict=True)], ...], AsTuple, AfterValidator(_increasing)]
Epochs = Units | Annotated[tuple[Annotated[Units, Field(strict=True)], ...], AsTuple]
# Kept as written: datasets and stages record it.
Pattern = Annotated[str, AfterValidator(lambda text: expand_path(text) and text)]
UserPath = Annotated[Path, Field(strict=False), AfterValidator(expand_path)]
# What to write, where pydantic names a Python type.
EXPECTED = {"tuple_type": "a list, such as [1, 2]", "model_type": "a section with keys"}


def as_plain(value: Any) -> Any:
    """NumPy's numbers, also those in lists, as Python's, which files can hold."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: as_plain(item) for key, item in value.items()}
    return type(value)(map(as_plain, value)) if type(value) in (list, tuple) else value


class Section(BaseModel):
    """Keys of a configuration with their types and defaults; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _plain_numbers(cls, values: Any) -> Any:
        return as_plain(values)

    def __repr_args__(self) -> Iterable[tuple[str, Any]]:
        """Of a repr: only what differs from the default, and of a mask only the beginning."""
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value != field.default:
                yield name, f"{value[:20]}..." if name == "mask" else value

    def __str__(self) -> str:
        return repr(self)


class Mismatch(ValueError):
    """A key whose value, valid by itself, does not fit to another one."""

    def __init__(self, key: str, expected: str, found: Any) -> None:
        super().__init__(f"{key}: expected {expected}, found {in_brief(found)}")


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
    if isinstance(cause, ArgumentError):
        return f"{key}.{cause.name}: expected {cause.expected}, found {in_brief(cause.found)}{more}"
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key{_nearest(key.split('.'), model)}{more}"
    if first["type"] == "missing":
        return f"{key}: expected a value, found none{more}"
    return f"{key}: {expected_value(first)}{more}"


def expected_value(problem: Any) -> str:
    """One of `ValidationError.errors()` in words: what was expected, and what was found."""
    cause = problem.get("ctx", {}).get("error")
    expected = EXPECTED.get(problem["type"]) or str(cause or re.sub(r"^Input should be ", "", problem["msg"]))
    return f"expected {expected[0].lower() + expected[1:]}, found {in_brief(problem['input'])}"


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location if not _is_union_branch(part))


def _is_union_branch(part: Any) -> bool:
    # pydantic inserts the name of the union's member into the location, such as "str" or "tuple[...]".
    return isinstance(part, str) and (part == "str" or "constrained-" in part or "[" in part)


def _nearest(keys: list[str], section: type[BaseModel]) -> str:
    """The known key of a section that is most like the unknown one, or all known keys."""
    for key in keys[:-1]:
        annotation: Any = section.model_fields[key].annotation
        # The first member of "a section or none".
        section = getattr(annotation, "__args__", (annotation,))[0]
    known = list(section.model_fields)
    match = difflib.get_close_matches(keys[-1], known, n=1)
    return f", did you mean '{match[0]}'?" if match else f", expected one of: {', '.join(known)}"


def apply_override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not all(key.split(".")):
        raise ConfigError(f"--set {override}: expected section.key=value, such as training.batch_size=50")
    *sections, name = key.split(".")
    target = values
    for section in sections:
        if target.get(section) is None:
            target[section] = {}
        elif section == "schedule" and target[section] in list(PRESETS):
            # The key is a difference from the schedule of that name.
            target[section] = _spell_out_schedule(target[section])
        target = target[section]
        if not isinstance(target, dict):
            raise ConfigError(f"--set {override}: expected a section at '{section}', found {in_brief(target)}")
    target[name] = parse_yaml(text, f"--set {override}")
