"""Types of the values of a configuration: the type is the validation, its message says what was expected."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, InstanceOf, PlainSerializer

from keras_evae.geometry import LATTICE_MULTIPLE, decode_mask, encode_mask
from keras_evae.terms import EnergyTerm

Boundary = Literal["periodic", "open"]
Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _multiple_of_16(side: int) -> int:
    if side <= 0 or side % LATTICE_MULTIPLE:
        raise ValueError(f"a positive multiple of {LATTICE_MULTIPLE}: the encoder halves each side four times")
    return side


def _increasing(values: tuple[float, ...]) -> tuple[float, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError("increasing values, each once: stages follow one another from the weak to the strong")
    return values


def _mask_text(text: str) -> str:
    mask = decode_mask(text)
    if not mask.any():
        raise ValueError("a mask with at least one site that carries a spin")
    return encode_mask(mask)


def _expand_home(path: Path) -> Path:
    return Path(os.path.expanduser(path))


# An energy term is Python, which no file brings along: files hold its text, `with_terms` adds the object.
Term = Annotated[
    str | InstanceOf[EnergyTerm],
    PlainSerializer(lambda term: term if isinstance(term, str) else repr(term), when_used="json"),
]
# A side of a sample; the bound keeps a slip of the pen from filling the memory.
Extent = Annotated[int, Field(gt=0, le=4096)]
Side = Annotated[int, AfterValidator(_multiple_of_16)]
# YAML has lists only; `strict=False` lets a list become a tuple while its items stay strict.
Ladder = Annotated[
    tuple[Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)], ...],
    Field(strict=False, min_length=1),
    AfterValidator(_increasing),
]
Epochs = Count | Annotated[tuple[Annotated[int, Field(gt=0, strict=True)], ...], Field(strict=False, min_length=1)]
MaskText = Annotated[str, AfterValidator(_mask_text)]
UserPath = Annotated[Path, Field(strict=False), AfterValidator(_expand_home)]
