"""OVF: every variant, hostile headers, and the order of its axes."""

import resource
import time

import numpy as np
import pytest

from keras_evae.analysis import topological_charge
from keras_evae.dataset.formats.spin_files import read_spins, write_spins
from keras_evae.errors import DataError
from tests.helpers.states import random_spins, skyrmion

SPINS = random_spins(2, 6, 9).astype(np.float32)
HEADER = """# {first}
# Segment count: 1
## A comment
# BEGIN: Segment
# begin : header
# meshType: rectangular   ## and another
# X nodes: 9
# ynodes: 6
# ZNODES: {layers}
# xmin: 0
# xmax: 0
# xstepsize: 3e-9
{more}# End: Header
# Begin: Data {kind}
"""
FIRST = f"{SPINS[0, 0, 0, 0]:.9g}"
BINARY = [(">", 4, 1234567.0), ("<", 4, 1234567.0), (">", 8, 123456789012345.0), ("<", 8, 123456789012345.0)]


def file_of(values, first="OOMMF OVF 2.0", kind="Text", layers=1, more="# valuedim: 3\n", end="\n"):
    """Bytes of a file; values as text or bytes."""
    head = HEADER.format(first=first, kind=kind, layers=layers, more=more).replace("\n", end).encode()
    body = values if isinstance(values, bytes) else values.replace("\n", end).encode()
    return head + body + f"{end}# End: Data {kind}{end}# End: Segment{end}".encode()


def as_text(spins, separator=" "):
    return "\n".join(separator.join(f"{value:.9g}" for value in spin) for spin in spins.reshape(-1, 3))


def read(tmp_path, content, **options):
    (tmp_path / "a.ovf").write_bytes(content)
    return read_spins(tmp_path / "a.ovf", **options)


@pytest.mark.parametrize("representation", ["text", "csv", "binary4", "binary8"])
def test_single_precision_comes_back_bit_for_bit(tmp_path, representation):
    spins = SPINS.copy()
    spins[0, 2, 3] = 0.0
    write_spins(tmp_path / "a.ovf", spins, representation)
    np.testing.assert_array_equal(read_spins(tmp_path / "a.ovf"), spins)


@pytest.mark.parametrize("order, width, check", [value for value in BINARY if value[0] == "<"])
def test_other_programs_read_little_ends_and_the_cells(tmp_path, order, width, check):
    write_spins(tmp_path / "a.ovf", SPINS[:1], f"binary{width}", cell=(2e-9, 3e-9, 4e-9))
    head, _, data = (tmp_path / "a.ovf").read_bytes().partition(f"# Begin: Data Binary {width}\n".encode())
    for line in ("xbase: 1e-09", "xnodes: 9", "ynodes: 6", "znodes: 1", "zstepsize: 4e-09"):
        assert f"# {line}\n".encode() in head
    np.testing.assert_array_equal(np.frombuffer(data, f"{order}f{width}", 1 + 162), [check, *SPINS[0].ravel()])


@pytest.mark.parametrize("first", ["OOMMF OVF 2.0", "OOMMF: rectangular mesh v1.0"])
@pytest.mark.parametrize("order, width, check", BINARY)
def test_the_check_value_says_the_byte_order(tmp_path, first, order, width, check):
    values = np.concatenate(([check], SPINS[0].ravel() * 8e5)).astype(f"{order}f{width}").tobytes()
    found = read(tmp_path, file_of(values, first, f"Binary {width}"))
    np.testing.assert_allclose(found[0], SPINS[0], atol=2e-7)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_with_comments_of_either_line_end(tmp_path, end):
    lines = as_text(SPINS[0], ", ").replace("\n", ",\n# between\n", 1)
    np.testing.assert_array_equal(read(tmp_path, file_of(lines, kind="CSV", end=end))[0], SPINS[0])


def test_x_runs_fastest_and_swapped_axes_turn_the_charge(tmp_path):
    state = skyrmion((16, 24))
    write_spins(tmp_path / "a.ovf", state, "text")
    lines = [line for line in (tmp_path / "a.ovf").read_text().splitlines() if not line.startswith("#")]
    np.testing.assert_allclose(np.array(lines[24 * 3 + 5].split(), float), state[3, 5], atol=1e-8)
    found = read_spins(tmp_path / "a.ovf")[0]
    assert topological_charge(found) == pytest.approx(topological_charge(state), abs=1e-6)
    assert topological_charge(found.swapaxes(0, 1)) == pytest.approx(-topological_charge(state), abs=1e-6)


def test_layers_line_ends_and_factors(tmp_path):
    content = file_of(as_text(SPINS), layers=2)
    with pytest.raises(DataError, match="one layer along z, found 2; choose one"):
        read(tmp_path, content)
    np.testing.assert_array_equal(read(tmp_path, content, layer=1)[0], SPINS[1])
    np.testing.assert_array_equal(read_spins(f"{tmp_path / 'a.ovf'}:0")[0], SPINS[0])
    values = np.concatenate(([1234567.0], SPINS.ravel())).astype("<f4").tobytes()
    np.testing.assert_array_equal(read(tmp_path, file_of(values, kind="Binary 4", layers=2), layer=1)[0], SPINS[1])
    with pytest.raises(DataError, match="from 0 to 1, found 2"):
        read(tmp_path, content, layer=2)
    content = file_of(as_text(SPINS[0]), "OOMMF: rectangular mesh v1.0", more="# valuemultiplier: -2\n")
    np.testing.assert_allclose(read(tmp_path, content)[0], -SPINS[0], atol=1e-7)


@pytest.mark.parametrize(
    "change, message",
    [
        (("valuedim: 3", "valuedim: 1"), "expected 'valuedim: 3', found '1'"),
        (("rectangular", "irregular"), "expected 'meshtype: rectangular'"),
        (("ynodes: 6", "ynodes: -6"), "at least 1 as ynodes, found '-6'"),
        (("ynodes: 6", "ynodes: 600000000"), "expected 16200000000 values.*truncated, or wrong numbers"),
        (("ynodes: 6", "ynodes: 7"), "truncated, or wrong numbers"),
        (("ynodes: 6", "ynodes: 5"), "expected 135 values, found 162"),
        (("Data Text", "Data Binary 4"), "check value 1234567 before the data"),
        (("# End: Data", "# End: Date"), "expected a line '# End: Data'"),
        (("0.", "O."), "expected numbers, found b'"),
        ((FIRST, "nan"), r"NaN or Inf, first at \(n, y, x\) = \(0, 0, 0\)"),
        ((FIRST, "1e999"), "NaN or Inf"),
        ((FIRST, ""), "expected 162 values, found 161"),
        (("OOMMF", "OOMF"), "expected OVF, which begins"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, change, message):
    content = file_of(as_text(SPINS[0])).decode().replace(*change)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path, content.encode())
    assert "\n" not in str(error.value)


def mutated(content, generator):
    """The bytes with a few of them replaced, removed, doubled or moved, mostly in the header."""
    content = bytearray(content)
    for _ in range(generator.integers(1, 6)):
        start = int(generator.integers(min(len(content), 400) or 1))
        stop = start + int(generator.integers(1, 12))
        piece, choice = content[start:stop], generator.integers(5)
        digits = bytes(generator.choice(list(b"0123456789-+.eE"), stop - start).tolist())
        noise = generator.bytes(stop - start)
        content[start:stop] = [b"", piece * 2, piece[::-1], digits, noise][choice]
    return bytes(content)


def test_mutated_headers_give_spins_or_one_line(tmp_path):
    generator = np.random.default_rng(0)
    seeds = []
    for representation in ("text", "csv", "binary4", "binary8"):
        write_spins(tmp_path / "a.ovf", SPINS, representation)
        seeds.append((tmp_path / "a.ovf").read_bytes())
    seeds.append(file_of(as_text(SPINS[0]), "OOMMF: rectangular mesh v1.0", more="# valuemultiplier: 2\n"))
    before, longest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0.0
    outcomes = {"spins": 0, "line": 0}
    for number in range(2000):
        content, start = mutated(seeds[number % len(seeds)], generator), time.process_time()
        try:
            spins = read(tmp_path, content)
        except DataError as error:
            assert "\n" not in str(error)
            outcomes["line"] += 1
        else:
            assert spins.shape[-1] == 3 and np.isfinite(spins).all()
            outcomes["spins"] += 1
        longest = max(longest, time.process_time() - start)
    assert longest < 1.0 and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert min(outcomes.values()) > 100
