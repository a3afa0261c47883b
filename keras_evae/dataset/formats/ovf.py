"""Vector fields of OOMMF, mumax3, Spirit and ubermag: OVF 1.0 and 2.0, on rectangular meshes.

A file has one segment or more, each with a header and a block of values; in these x runs fastest, then y, then z.
Read are text, text with commas (Spirit's CSV), and binary numbers of 4 and 8 bytes in either byte order, which the
check value before them tells. Only the numbers of nodes count: extents and steps that contradict them are common.
Source: OOMMF User's Guide, https://math.nist.gov/oommf/doc/userguide21a0/userguidexml/sec_ovfformat.html
"""

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from keras_evae.dataset.formats.arrays import States, choose_layer
from keras_evae.errors import DataError, in_brief

# Before binary values; the bytes of one of them in a file tell the byte order.
CHECK_VALUES = {4: 1234567.0, 8: 123456789012345.0}
# How they are called in files.
REPRESENTATIONS = {"text": "Text", "csv": "CSV", "binary4": "Binary 4", "binary8": "Binary 8"}
# Bytes of a line at most.
LONGEST_LINE = 2**18


class Segment(NamedTuple):
    """One block of values."""

    # Along z, y and x.
    nodes: tuple[int, int, int]
    sign: float
    # Of binary values; None for text.
    dtype: np.dtype | None
    # Where the values lie in the file.
    start: int
    stop: int


def open_ovf(path: Path, stream: IO[bytes], layer: int | None = None) -> States:
    """One layer along z, by default the only one, of each segment of a file that is open for reading bytes.

    Raises:
        DataError: If the file is none of these formats, its segments differ, or what it promises is not there.
    """
    segments = list(_find_segments(path, stream))
    meshes = sorted({segment.nodes for segment in segments})
    if len(meshes) != 1:
        found = ", ".join(f"(x, y, z) = {nodes[::-1]}" for nodes in meshes[:3]) or "no segment"
        raise DataError(f"{path}: expected segments of one mesh, found {found}; write each mesh to its own file")
    layers, height, width = meshes[0]
    chosen = choose_layer(path, layers, layer)

    def read(key: slice) -> np.ndarray:
        # What is no number has its own message.
        with np.errstate(invalid="ignore"):
            return np.stack([_read(path, stream, segment, chosen) for segment in segments[key]])

    return States((len(segments), height, width, 3), read, any_length=True)


def _read(path: Path, stream: IO[bytes], segment: Segment, layer: int) -> np.ndarray:
    """Vectors `(y, x, 3)` of a layer."""
    stream.seek(segment.start)
    if segment.dtype is None:
        values = _parse(path, stream, segment)[layer]
    else:
        shape = (*segment.nodes[1:], 3)
        size = math.prod(shape) * segment.dtype.itemsize
        stream.seek(layer * size, 1)
        content = stream.read(size)
        if len(content) < size:
            raise DataError(f"{path}: truncated while it was read")
        values = np.frombuffer(content, segment.dtype).reshape(shape)
    return values * segment.sign


def _lines(path: Path, stream: IO[bytes], length: float = math.inf) -> Iterator[bytes]:
    """Lines of so many bytes from where the stream is, to the end of the file by default."""
    while length > 0 and (line := stream.readline(LONGEST_LINE)):
        length -= len(line)
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            raise DataError(f"{path}: expected lines of at most {LONGEST_LINE} bytes, found a longer one")
        yield line


def _find_segments(path: Path, stream: IO[bytes]) -> Iterator[Segment]:
    """The segments of a file, in their order, checked against its size."""
    size = stream.seek(0, 2)
    stream.seek(0)
    header: dict[str, str] = {}
    first = _squeezed(stream.readline(LONGEST_LINE))
    if not re.match(r"#oommf:?(ovf[12]|(rectangular|irregular)mesh)", first):
        raise DataError(f"{path}: expected OVF, which begins with '# OOMMF OVF 2.0', found {in_brief(first)}")
    dimension = "" if "ovf2" in first else "3"
    for line in _lines(path, stream):
        text = line.decode("latin-1").partition("##")[0].strip()
        if not text:
            continue
        if not text.startswith("#"):
            raise DataError(f"{path}: expected header lines that begin with #, found {in_brief(text)}")
        label, _, value = text[1:].partition(":")
        label, block = _squeezed(label), _squeezed(value)
        if label == "begin" and block.startswith("data"):
            yield _locate(path, stream, {"valuedim": dimension, **header}, block.removeprefix("data"), size)
        elif label == "begin" and block == "segment":
            header = {}
        elif label not in ("begin", "end"):
            header[label] = value.strip()


def _squeezed(text: str | bytes) -> str:
    """A keyword as it is compared: without blanks, in lower case."""
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    return "".join(text.lower().split())


def _locate(path: Path, stream: IO[bytes], header: Mapping[str, str], kind: str, size: int) -> Segment:
    """The segment whose block of values begins where the stream is; the stream stands behind these values then."""
    for name, expected in (("meshtype", "rectangular"), ("valuedim", "3")):
        if header.get(name, "").lower() != expected:
            raise DataError(f"{path}: expected '{name}: {expected}', found {in_brief(header.get(name) or 'none')}")
    layers, height, width = (_count(path, name, header.get(name, "")) for name in ("znodes", "ynodes", "xnodes"))
    if kind not in REPRESENTATIONS:
        raise DataError(f"{path}: expected data as {', '.join(REPRESENTATIONS)}, found {in_brief(kind)}")
    sign = _sign(path, header.get("valuemultiplier", "1"))
    dtype = _byte_order(path, stream, int(kind[-1])) if kind.startswith("binary") else None
    start, values = stream.tell(), 3 * layers * height * width
    # A number as text has a digit and what parts it from the next one.
    needed = values * dtype.itemsize if dtype else 2 * values - 1
    if size - start < needed:
        raise DataError(
            f"{path}: expected {values} values, which take at least {needed} bytes, found {size - start} bytes; "
            f"truncated, or wrong numbers of nodes {(width, height, layers)}"
        )
    stop = start + needed if dtype else _end_of_text(path, stream)
    stream.seek(stop)
    return Segment((layers, height, width), sign, dtype, start, stop)


def _count(path: Path, name: str, text: str) -> int:
    if not re.fullmatch(r"\+?0*[1-9]\d{0,8}", text, re.ASCII):
        raise DataError(f"{path}: expected a number of at least 1 as {name}, found {in_brief(text or 'none')}")
    return int(text)


def _sign(path: Path, multiplier: str) -> float:
    """The sign of the factor of OVF 1.0: lengths do not count."""
    try:
        factor = float(multiplier)
    except ValueError:
        factor = 0.0
    if not 0 < abs(factor) < np.inf:
        raise DataError(f"{path}: expected a number other than 0 as valuemultiplier, found {in_brief(multiplier)}")
    return math.copysign(1.0, factor)


def _byte_order(path: Path, stream: IO[bytes], width: int) -> np.dtype:
    """The type of the binary values behind the check value where the stream is."""
    found = stream.read(width)
    for dtype in (np.dtype(f"<f{width}"), np.dtype(f">f{width}")):
        if found == np.array(CHECK_VALUES[width], dtype).tobytes():
            return dtype
    raise DataError(
        f"{path}: expected the check value {CHECK_VALUES[width]:.0f} before the data, found the bytes "
        f"{found.hex(' ') or 'none'}; damaged, or written in another format"
    )


def _end_of_text(path: Path, stream: IO[bytes]) -> int:
    """Where the line begins that ends a block of text."""
    start = stream.tell()
    for line in _lines(path, stream):
        if line.lstrip().startswith(b"#") and _squeezed(line).startswith("#end:data"):
            return start
        start += len(line)
    raise DataError(f"{path}: expected a line '# End: Data' behind the values, found none; truncated")


def _parse(path: Path, stream: IO[bytes], segment: Segment) -> np.ndarray:
    """The numbers of a block of text, `(z, y, x, 3)`."""
    lines, size = _lines(path, stream, segment.stop - segment.start), 3 * math.prod(segment.nodes)
    # Some lines at once, which is faster than one by one.
    parts = iter(lambda: b"".join(itertools.islice(lines, 16)), b"")
    rows = (re.sub(rb"#[^\n]*", b"", part).replace(b",", b" ").split() for part in parts)
    words = itertools.chain.from_iterable(rows)
    try:
        # Not more than fit, whatever the file holds.
        values = np.fromiter(map(float, itertools.islice(words, size)), float)
    except ValueError as error:
        reason = str(error).partition(": ")[2]
        raise DataError(f"{path}: expected numbers, found {reason or error}") from error
    found = len(values) + sum(1 for _ in words)
    if found != size:
        raise DataError(f"{path}: expected {size} values, found {found}; truncated, or wrong numbers of nodes")
    return values.reshape(*segment.nodes, 3)


def write_ovf(
    stream: IO[bytes], states: Any, representation: str, cell: tuple[float, float, float], comment: str = ""
) -> None:
    """Writes states `(n, y, x, 3)`, an array or what gives parts of one when sliced, as segments of an OVF 2.0 file.

    Args:
        stream, comment: File that is open for writing bytes; a line of its header.
        representation: `text` (nine digits: single precision comes back bit for bit), `csv` (the same with commas, as
            Spirit writes), `binary4` or `binary8`.
        cell: Size of a cell, `(dx, dy, dz)` in metres.
    """
    count, height, width, _ = states.shape
    stream.write(f"# OOMMF OVF 2.0\n#\n# Segment count: {count}\n#\n".encode())
    kind = REPRESENTATIONS[representation]
    lines = ["Begin: Segment", "Begin: Header", "Title: m", *([f"Desc: {comment}"] if comment else [])]
    lines += ["meshtype: rectangular", "meshunit: m"]
    for axis, nodes, step in zip("xyz", (width, height, 1), cell, strict=True):
        lines += [f"{axis}min: 0", f"{axis}max: {nodes * step!r}", f"{axis}base: {step / 2!r}"]
        lines += [f"{axis}nodes: {nodes}", f"{axis}stepsize: {step!r}"]
    lines += ["valuedim: 3", "valuelabels: m_x m_y m_z", "valueunits: 1 1 1", "End: Header", f"Begin: Data {kind}"]
    header = "".join(f"# {line}\n" for line in lines).encode()
    for index in range(count):
        stream.write(header + _encode(np.asarray(states[index : index + 1][0]), representation))
        stream.write(f"# End: Data {kind}\n# End: Segment\n".encode())


def _encode(state: np.ndarray, representation: str) -> bytes:
    if representation.startswith("binary"):
        dtype = f"<f{representation[-1]}"
        return np.array(CHECK_VALUES[int(representation[-1])], dtype).tobytes() + state.astype(dtype).tobytes() + b"\n"
    separator, end = (", ", ",\n") if representation == "csv" else (" ", "\n")
    spins = state.astype(np.float64).reshape(-1, 3)
    return "".join(separator.join(f"{value:.9g}" for value in spin) + end for spin in spins).encode()
