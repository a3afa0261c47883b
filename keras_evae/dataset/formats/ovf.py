"""Vector fields of OOMMF, mumax3, Spirit and ubermag: OVF 1.0 and 2.0, on rectangular meshes.

A file has one segment or more, each with a header and a block of values; in these x runs fastest, then y, then z.
Read are text, text with commas (Spirit's CSV), and binary numbers of 4 and 8 bytes in either byte order, which the
check value before them tells. Only the numbers of nodes count: extents and steps that contradict them are common.
Source: OOMMF User's Guide, https://math.nist.gov/oommf/doc/userguide21a0/userguidexml/sec_ovfformat.html
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from keras_evae.errors import DataError, in_brief

# Before binary values; the bytes of one of them in a file tell the byte order.
CHECK_VALUES = {4: 1234567.0, 8: 123456789012345.0}
REPRESENTATIONS = ("text", "csv", "binary4", "binary8")
# Bytes of a line at most, and of text that is parsed at once.
LONGEST_LINE, PART = 2**16, 2**20


@dataclasses.dataclass(frozen=True)
class Segment:
    """One block of values: its nodes `(z, y, x)`, the kind of its values, and where these lie in the file."""

    nodes: tuple[int, int, int]
    sign: float
    # Of binary values; None for text.
    dtype: np.dtype | None
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of values."""
        return 3 * self.nodes[0] * self.nodes[1] * self.nodes[2]


class OvfStates:
    """Vectors `(n, y, x, 3)`, one layer of each segment of an open file, read when sliced: `states[start:stop]`.

    Args:
        path: The file, for messages.
        stream: The file, open for reading bytes.
        layer: Which of the layers along z; None for the only one.

    Raises:
        DataError: If the file is none of these formats, its segments differ, or what it promises is not there.
    """

    dtype = np.dtype(np.float64)

    def __init__(self, path: Path, stream: IO[bytes], layer: int | None = None) -> None:
        self._path, self._stream = path, stream
        self._segments = list(_find_segments(path, stream))
        meshes = sorted({segment.nodes for segment in self._segments})
        if len(meshes) != 1:
            found = ", ".join(f"(x, y, z) = {nodes[::-1]}" for nodes in meshes[:3]) or "no segment"
            raise DataError(f"{path}: expected segments of one mesh, found {found}; write each mesh to its own file")
        self.layers, *lattice = meshes[0]
        self.layer = choose_layer(path, self.layers, layer)
        self.shape = (len(self._segments), *lattice, 3)

    def __len__(self) -> int:
        return len(self._segments)

    def __getitem__(self, key: slice) -> np.ndarray:
        # What is no number has its own message.
        with np.errstate(invalid="ignore"):
            vectors = [self._read(segment) for segment in self._segments[key]]
            return np.stack(vectors) if vectors else np.empty((0, *self.shape[1:]))

    def _read(self, segment: Segment) -> np.ndarray:
        self._stream.seek(segment.start)
        if segment.dtype is None:
            values = _parse(self._path, self._stream, segment).reshape(*segment.nodes, 3)[self.layer]
        else:
            size = int(np.prod(self.shape[1:])) * segment.dtype.itemsize
            self._stream.seek(self.layer * size, 1)
            content = self._stream.read(size)
            if len(content) < size:
                raise DataError(f"{self._path}: truncated while it was read")
            values = np.frombuffer(content, segment.dtype).reshape(self.shape[1:])
        return values * segment.sign


def choose_layer(source: Any, layers: int, layer: int | None) -> int:
    """The layer along z that is asked for, or the only one."""
    if layer is None and layers > 1:
        raise DataError(
            f"{source}: expected one layer along z, found {layers}; choose one, from 0 to {layers - 1}: layer=0 in "
            f"Python, FILE:0 on the command line"
        )
    if layer is not None and not 0 <= layer < layers:
        raise DataError(f"{source}: expected a layer along z from 0 to {layers - 1}, found {layer}")
    return layer or 0


def _find_segments(path: Path, stream: IO[bytes]) -> Iterator[Segment]:
    """The segments of a file, in their order, checked against its size."""
    size = stream.seek(0, 2)
    stream.seek(0)
    header: dict[str, str] = {}
    first = _squeezed(stream.readline(LONGEST_LINE))
    if not re.match(r"#oommf:?(ovf[12]|(rectangular|irregular)mesh)", first):
        raise DataError(f"{path}: expected OVF, which begins with '# OOMMF OVF 2.0', found {in_brief(first)}")
    dimension = "" if "ovf2" in first else "3"
    while line := stream.readline(LONGEST_LINE):
        if not line.endswith(b"\n") and stream.tell() < size:
            raise DataError(f"{path}: expected lines of at most {LONGEST_LINE} bytes, found a longer one")
        text = line.decode("latin-1").partition("##")[0].strip()
        if not text:
            continue
        if not text.startswith("#"):
            raise DataError(f"{path}: expected header lines that begin with #, found {in_brief(text)}")
        label, _, value = text[1:].partition(":")
        label, value = _squeezed(label), value.strip()
        block = _squeezed(value)
        if label == "begin" and block.startswith("data"):
            yield _locate(path, stream, {"valuedim": dimension, **header}, block.removeprefix("data"), size)
        elif label == "begin" and block == "segment":
            header = {}
        elif label not in ("begin", "end"):
            header[label] = value


def _squeezed(text: str | bytes) -> str:
    """A keyword as it is compared: without blanks, in lower case."""
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    return "".join(text.lower().split())


def _locate(path: Path, stream: IO[bytes], header: Mapping[str, str], kind: str, size: int) -> Segment:
    """The segment whose block of values begins where the stream is; the stream stands behind these values then."""
    for name, expected in (("meshtype", "rectangular"), ("valuedim", "3")):
        if header.get(name, "").lower() != expected:
            raise DataError(f"{path}: expected '{name}: {expected}', found {in_brief(header.get(name) or 'none')}")
    nodes = tuple(_count(path, name, header.get(name, "")) for name in ("znodes", "ynodes", "xnodes"))
    if kind not in REPRESENTATIONS:
        raise DataError(f"{path}: expected data as {', '.join(REPRESENTATIONS)}, found {in_brief(kind)}")
    sign = _sign(path, header.get("valuemultiplier", "1"))
    width = int(kind[-1]) if kind.startswith("binary") else 0
    start = stream.tell() + width
    segment = Segment((nodes[0], nodes[1], nodes[2]), sign, _byte_order(path, stream, width), start, start)
    # A number as text has a digit and what parts it from the next one.
    needed = segment.size * (width or 2) - (not width)
    if size - start < needed:
        raise DataError(
            f"{path}: expected {segment.size} values, which take at least {needed} bytes, found {max(0, size - start)} "
            f"bytes; truncated, or wrong numbers of nodes {nodes[::-1]}"
        )
    stop = start + needed if width else _end_of_text(path, stream)
    stream.seek(stop)
    return dataclasses.replace(segment, stop=stop)


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
    return float(np.sign(factor))


def _byte_order(path: Path, stream: IO[bytes], width: int) -> np.dtype | None:
    """The type of the binary values behind the check value where the stream is."""
    found = stream.read(width)
    for order in ("<", ">") if width else ():
        dtype = np.dtype(f"{order}f{width}")
        if found == np.array(CHECK_VALUES[width], dtype).tobytes():
            return dtype
    if width:
        raise DataError(
            f"{path}: expected the check value {CHECK_VALUES[width]:.0f} before the data, found the bytes "
            f"{found.hex(' ') or 'none'}; damaged, or written in another format"
        )
    return None


def _end_of_text(path: Path, stream: IO[bytes]) -> int:
    """Where the line begins that ends a block of text."""
    start = stream.tell()
    while line := stream.readline(LONGEST_LINE):
        if line.lstrip().startswith(b"#") and _squeezed(line).startswith("#end:data"):
            return start
        start += len(line)
    raise DataError(f"{path}: expected a line '# End: Data' behind the values, found none; truncated")


def _parse(path: Path, stream: IO[bytes], segment: Segment) -> np.ndarray:
    """The numbers of a block of text, in parts."""
    values, count, rest = np.empty(segment.size), 0, b""
    left = segment.stop - segment.start
    while left:
        part = stream.read(min(PART, left))
        left -= len(part) or left
        part = rest + part
        # Between two lines, so that no number is cut.
        cut = part.rfind(b"\n") + 1 if left else len(part)
        rest = part[cut:]
        if len(rest) > LONGEST_LINE:
            raise DataError(f"{path}: expected lines of at most {LONGEST_LINE} bytes, found a longer one")
        words = re.sub(rb"#[^\n]*", b"", part[:cut]).replace(b",", b" ").split()
        if count + len(words) <= segment.size:
            try:
                values[count : count + len(words)] = list(map(float, words))
            except ValueError as error:
                reason = str(error).partition(": ")[2]
                raise DataError(f"{path}: expected numbers, found {reason or error}") from error
        count += len(words)
    if count != segment.size:
        raise DataError(f"{path}: expected {segment.size} values, found {count}; truncated, or wrong numbers of nodes")
    return values


def write_ovf(
    stream: IO[bytes], states: Any, representation: str, cell: tuple[float, float, float], comment: str = ""
) -> None:
    """Writes states `(n, y, x, 3)` as segments of an OVF 2.0 file.

    Args:
        stream: File that is open for writing bytes.
        states: Array, or what gives parts of one when sliced.
        representation: `text` (nine digits: single precision comes back bit for bit), `csv` (the same with commas, as
            Spirit writes), `binary4` or `binary8`.
        cell: Size of a cell, `(dx, dy, dz)` in metres.
        comment: A line of the header.
    """
    count, height, width, _ = states.shape
    stream.write(f"# OOMMF OVF 2.0\n#\n# Segment count: {count}\n#\n".encode())
    kind = {"binary4": "Binary 4", "binary8": "Binary 8", "text": "Text", "csv": "CSV"}[representation]
    for index in range(count):
        lines = ["Begin: Segment", "Begin: Header", "Title: m", *([f"Desc: {comment}"] if comment else [])]
        lines += ["meshtype: rectangular", "meshunit: m"]
        for axis, nodes, step in zip("xyz", (width, height, 1), cell, strict=True):
            lines += [f"{axis}min: 0", f"{axis}max: {nodes * step!r}", f"{axis}base: {step / 2!r}"]
            lines += [f"{axis}nodes: {nodes}", f"{axis}stepsize: {step!r}"]
        lines += ["valuedim: 3", "valuelabels: m_x m_y m_z", "valueunits: 1 1 1", "End: Header", f"Begin: Data {kind}"]
        stream.write("".join(f"# {line}\n" for line in lines).encode())
        _write_values(stream, np.asarray(states[index : index + 1][0]), representation)
        stream.write(f"# End: Data {kind}\n# End: Segment\n".encode())


def _write_values(stream: IO[bytes], state: np.ndarray, representation: str) -> None:
    if representation.startswith("binary"):
        width = int(representation[-1])
        stream.write(np.array(CHECK_VALUES[width], f"<f{width}").tobytes())
        stream.write(state.astype(f"<f{width}").tobytes() + b"\n")
        return
    separator, end = (", ", ",\n") if representation == "csv" else (" ", "\n")
    for row in state.astype(np.float64):
        stream.write("".join(separator.join(f"{value:.9g}" for value in spin) + end for spin in row).encode())
