"""The table of generation on a small run."""

import dataclasses
import json
import math
from types import SimpleNamespace

import pytest

from keras_evae.evaluation.generation_measures import measure_set
from keras_evae.evaluation.generation_rows import (
    OUTPUTS,
    TEST,
    AnnealerPoint,
    Row,
    annealer_rate,
    best_generating,
    generating_stages,
)
from keras_evae.evaluation.generation_table import _limit
from keras_evae.evaluation.recipes import evaluate
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.relaxation import relax_states
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from tests.helpers.states import random_spins, uniform

QUICK = {"count": 6, "seconds": 0.01, "anneals": 1}


def test_every_way_beside_test_data_and_annealer(smoke_run, tmp_path, drawn):
    options = QUICK | {"gammas": [10], "priors": ["normal", "posterior"]}
    (section,) = evaluate(smoke_run, "generation", tmp_path, report=True, options={"generation": options})
    quality, likeness, limits, speed, annealer = (table.records for table in section.tables)
    ways = [TEST, OUTPUTS, "normal", "posterior"]
    assert [(row["vectors"], row["states"]) for row in quality] == [
        (w, kind) for w in ways for kind in ("raw", "relaxed")
    ]
    assert likeness[0]["diversity"] == 1.0 and 0.0 < likeness[0]["nearest"] < 1.5
    for raw, relaxed in zip(quality[::2], quality[1::2], strict=True):
        assert relaxed["energy_per_site"] <= raw["energy_per_site"] + 1e-6
    for row in limits:
        of_stage = [found for found in quality if found["gamma"] == row["gamma"] and found["states"] == "raw"]
        energies = {found["vectors"]: found["energy_per_site"] for found in [*of_stage, quality[0]]}
        lost = energies[row["vectors"]] - energies[TEST]
        assert row["energy_decoder"] + row["energy_density"] == pytest.approx(lost)
    # Those before the collapse with gamma > 0, and the last.
    assert [stage.gamma for stage in generating_stages(smoke_run)] == [10.0, 1000.0]
    kinds = [_limit(*parts) for parts in ((3.0, 1.0, 1.0), (1.0, 3.0, 1.0), (1.0, 1.9, 1.0))]
    assert kinds == ["decoder", "density", "neither"]
    assert all(row["generated"] > row["generated_and_relaxed"] for row in speed if row["generated"])
    assert all(row["above_lowest"] >= 0 for row in annealer) and len(drawn["generation.png"].axes) == 1
    json.loads((tmp_path / "generation.json").read_text(), parse_constant=pytest.fail)
    assert "Quality and speed of generation" in (tmp_path / "report.html").read_text()


def test_annealer_at_equal_energy_and_best_stage():
    """A slow schedule that ends higher than a fast one does not count; between schedules powers are interpolated."""
    known = {"fast": (-1.0, 1000.0), "bad": (-1.5, 1.0), "good": (-1.99, 10.0)}
    points = [AnnealerPoint(name, AnnealingSchedule(), (e, 0.0), rate, 5) for name, (e, rate) in known.items()]
    points.append(AnnealerPoint("better", AnnealingSchedule(), (-1.9, 100.0), 100.0, 5))
    assert annealer_rate(-0.5, points, -2.0) == annealer_rate(-1.0, points, -2.0) == pytest.approx(1000.0)
    assert annealer_rate(-1.5, points, -2.0) == pytest.approx(100.0)
    assert annealer_rate(-2.0 + math.sqrt(1e-3), points, -2.0) == pytest.approx(math.sqrt(1000.0))
    assert annealer_rate(-1.995, points, -2.0) is None

    def row(way, spins):
        found = measure_set(spins, Hamiltonian())
        return Row(SimpleNamespace(name=way), way, found, found, None, None, 1.0)

    various, one = random_spins(5, 16, 32), uniform((16, 32))[None].repeat(5, axis=0)
    rows = [row(TEST, various), row(OUTPUTS, various), row("normal", one), row("flow", various)]
    assert best_generating(rows).way == "flow" and best_generating(rows[:3]) is None
    assert best_generating([*rows[:3], dataclasses.replace(rows[3], way="posterior")]).way == "posterior"
    lower = measure_set(relax_states(various, Hamiltonian()), Hamiltonian())
    assert best_generating([*rows, dataclasses.replace(rows[3], way="posterior", raw=lower)]).way == "flow"
    assert best_generating([*rows, dataclasses.replace(rows[3], way="normal", raw=lower)]).way == "normal"
