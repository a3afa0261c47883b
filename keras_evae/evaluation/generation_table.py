"""Recipe `generation`: how good generated states are, and how fast, beside test data, outputs and the annealer."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_evae import plotting
from keras_evae.console import progress_bar
from keras_evae.evaluation import generation_measures as measures
from keras_evae.evaluation import generation_rows as sets
from keras_evae.evaluation.generation_measures import Estimate, MeasuredSet
from keras_evae.evaluation.generation_rows import OUTPUTS, TEST, AnnealerPoint, Row
from keras_evae.evaluation.results import Cell, Picture, Record, Section, Table, for_each_run
from keras_evae.evaluation.stage_selection import nearest_gammas
from keras_evae.machine import check_memory, describe_environment, usable_cores
from keras_evae.minima.certificate import SAME_ENERGY, Candidate, best_known
from keras_evae.runs.resources import SPIN_BYTES
from keras_evae.runs.run import Run
from keras_evae.runs.stage_plan import in_words

STATISTICS = ("energy_per_site", "charge", "radius_sites", "psi6", "defects")
# Training states among which the nearest one is looked for: the first ones.
MOST_TRAINING = 2000
TEXT = (
    "States of each stage: outputs (reconstructions) of held-out data, and states of latent vectors drawn in each way: "
    "normal (the paper), posterior (of a random training state), flow (a density learned from posteriors). Each set is "
    "measured as it comes (raw), and after relaxation at T = 0 with the annealer's tolerance. Errors are standard "
    "errors. radius, psi6, defects: means over the skyrmions of a state. structure: share of the weight of S(q) that "
    "lies on other rings |q| than in the test data; in their own row the distance of their two halves. same_charge: "
    "share of states whose charge relaxation keeps. diversity: FFT-MSE over that of the test data. one_lattice: share "
    "of pairs of states that are one up to translation and point operation. nearest: mean |S - S'|^2 to the closest "
    "training state up to these symmetries, 0 for copies. Speeds are states per second on all cores; the annealer's is "
    "that of the fastest schedule that ends as low, interpolated between schedules. What limits a stage: decoder is "
    "what outputs lack against the test data, density what generated states lack against outputs."
)


@for_each_run
def make_generation(
    run: Run,
    output: Path,
    file: str,
    gammas: Sequence[float] = (),
    priors: Sequence[str] = ("normal", "posterior", "flow"),
    count: int = 200,
    seconds: float = 8.0,
    anneals: int | None = None,
) -> Section:
    """The tables and the picture.

    Args:
        run, output, file: As for every recipe of one run.
        gammas: The stages nearest to these; by default those before the collapse with gamma > 0, and the last.
        priors, count: Ways to draw latent vectors, of which a missing density is fitted first; states of each set.
        seconds, anneals: Time of each schedule of the annealer; slow anneals, see `best_known`.
    """
    stages, notes = nearest_gammas(run, gammas) if gammas else (sets.generating_stages(run), [])
    # Raw and relaxed, of the outputs and of each way.
    states = 2 * count * len(stages) * (1 + len(priors))
    check_memory(states * math.prod(run.shape) * SPIN_BYTES, f"memory: {states} states", "take a smaller --number")
    rows = list(sets.measure_rows(run, stages, priors, count))
    annealer = sets.measure_annealer(run.hamiltonian, run.shape, seconds)
    energies = [float(row.relaxed.values["energy_per_site"].min()) for row in rows]
    others = [Candidate(run.data_kind, run.lowest_annealed(), ""), Candidate("relaxed states", min(energies), "")]
    lowest = best_known(run.hamiltonian, run.shape, output, others, anneals)[0].energy_per_site
    training = run.read_split("train", MOST_TRAINING)
    best = sets.best_generating(rows)
    likeness = functools.partial(_likeness, rows[0], training, run)
    speeds = [_speed(row, annealer, lowest) for row in rows[1:]]
    tables = [
        _of_rows(file, f"{count} states of each kind", rows, functools.partial(_quality, rows[0])),
        _of_rows(f"{file}_diversity", "copies and repetitions", rows, likeness),
        Table.of_records(f"{file}_limits", "what limits a stage", list(_limits(rows))),
        Table.of_records(f"{file}_speed", "states per second", speeds),
        Table.of_records(f"{file}_annealer", "the annealer", [_schedule(point, lowest) for point in annealer]),
    ]
    caption = "Mean E/N above the lowest known against states per second: hollow raw, filled relaxed"
    _draw(tables[0], tables[3], tables[4], lowest, output / f"{file}.png")
    numbers: dict[str, Cell] = {
        "lowest_energy_per_site": lowest,
        **{f"best_{weight}": getattr(best.stage, weight) if best else None for weight in ("beta", "gamma")},
        "best_vectors": best.way if best else None,
    }
    pictures, notes = [Picture(f"{file}.png", caption)], [*notes, *_notes(best, len(training))]
    return Section("generation", "Quality and speed of generation", TEXT, tables, pictures, notes, {"": numbers})


def _of_rows(
    name: str, caption: str, rows: Sequence[Row], measure: Callable[[Row, MeasuredSet], Mapping[str, Estimate]]
) -> Table:
    records = []
    for row in progress_bar(rows, name, unit="set"):
        for kind, states in row.kinds.items():
            record: Record = {**row.identity, "states": kind}
            for quantity, pair in measure(row, states).items():
                record |= zip((quantity, f"{quantity}_error"), pair, strict=True)
            records.append(record)
    return Table.of_records(name, caption, records)


def _quality(test: Row, row: Row, states: MeasuredSet) -> dict[str, Estimate]:
    rings, half = states.rings, len(states.rings) // 2
    pair = (rings[:half], rings[half:]) if row is test else (rings, test.raw.rings)
    return {name: states.mean(name) for name in STATISTICS} | {"structure": measures.structure_distance(*pair)}


def _likeness(test: Row, training: np.ndarray, run: Run, row: Row, states: MeasuredSet) -> dict[str, Estimate]:
    # The charges are those of the pair, so their share stands once.
    pair = measures.same_charge(row.raw, row.relaxed) if states is row.relaxed else (math.nan, math.nan)
    return {
        "same_charge": pair,
        "diversity": measures.ratio(states.mean("fft_mse"), test.raw.mean("fft_mse")),
        "one_lattice": measures.same_lattice(states.spins, run.hamiltonian),
        "nearest": measures.nearest_training(states.spins, training, run.hamiltonian),
    }


def _limits(rows: Sequence[Row]) -> Iterator[Record]:
    """What raw states of each stage and way lack, and whether the decoder or the density takes more of it."""
    test = rows[0]
    unit = test.raw.mean("fft_mse")[0]
    outputs = {row.stage.name: row for row in rows if row.stage and row.way == OUTPUTS}
    for row in rows[1:]:
        if row.way == OUTPUTS or not row.stage:
            continue
        record = row.identity
        for name, quantity, scale in (("energy", "energy_per_site", -1.0), ("psi6", "psi6", 1.0),
                                      ("diversity", "fft_mse", 1.0 / unit if unit else math.nan)):  # fmt: skip
            sets = [part.raw.mean(quantity) for part in (test, outputs[row.stage.name], row)]
            best, ceiling, generated = (mean for mean, _ in sets)
            decoder, density = scale * (best - ceiling), scale * (ceiling - generated)
            error = abs(scale) * math.hypot(*(part[1] for part in sets))
            found = decoder, density, error, _limit(decoder, density, error)
            record |= zip((f"{name}_{part}" for part in ("decoder", "density", "error", "limit")), found, strict=True)
        yield record


def _limit(decoder: float, density: float, error: float) -> str | None:
    if not math.isfinite(decoder + density):
        return None
    if max(decoder, density) <= 2.0 * error:
        return "neither"
    return "decoder" if decoder > density else "density"


def _speed(row: Row, annealer: Sequence[AnnealerPoint], lowest: float) -> Record:
    record = row.identity
    whole = None if row.generation is None else row.generation + row.relaxation
    rates = [None if seconds is None else 1.0 / seconds for seconds in (row.decoding, row.generation, whole)]
    record |= zip(("decoded", "generated", "generated_and_relaxed"), rates, strict=True)
    record["relaxation_alone"] = 1.0 / row.relaxation
    for (kind, states), rate in zip(row.kinds.items(), rates[1:], strict=True):
        equal = sets.annealer_rate(states.mean("energy_per_site")[0], annealer, lowest)
        record[f"annealer_as_low_as_{kind}"] = equal
        record[f"times_annealer_{kind}"] = rate / equal if rate and equal else None
    return record


def _schedule(point: AnnealerPoint, lowest: float) -> Record:
    return {
        "schedule": point.name,
        "thermal_sweeps": point.schedule.thermal_sweeps,
        "states": point.states,
        "energy_per_site": point.energy[0],
        "energy_per_site_error": point.energy[1],
        "above_lowest": point.energy[0] - lowest,
        "states_per_second": point.rate,
        "cores": usable_cores(),
        "core_seconds_per_state": usable_cores() / point.rate,
    }


def _draw(quality: Table, speed: Table, annealer: Table, lowest: float, path: Path) -> None:
    heights = {
        (row["gamma"], row["vectors"], row["states"]): row["energy_per_site"] - lowest for row in quality.records
    }
    generators = {
        (f"gamma = {in_words(row['gamma'])}", row["vectors"]): [
            (row[rate], heights[row["gamma"], row["vectors"], kind])
            for rate, kind in (("generated", "raw"), ("generated_and_relaxed", "relaxed"))
        ]
        for row in speed.records
        if row["generated"] is not None
    }
    schedules = {row["schedule"]: (row["states_per_second"], row["above_lowest"]) for row in annealer.records}
    figure, axes = plotting.new_figure(size=(7.0, 4.2))
    plotting.plot_quality_against_speed(axes[0, 0], schedules, generators, heights[None, TEST, "raw"], SAME_ENERGY)
    axes[0, 0].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
    plotting.save_figure(figure, path)


def _notes(best: Row | None, training: int) -> list[str]:
    found = f"at {best.stage.stage.weights_in_words} from {best.way} vectors" if best and best.stage else "at no stage"
    return [
        f"the best generating states, the lowest that keep {sets.DIVERSE:.0%} of the test data's diversity: {found}",
        f"nearest: the first {measures.NEAREST} states of each kind, among {training} training states; "
        f"one_lattice: the pairs of the first {measures.PAIRED}",
        "speeds were measured on the machine as it was, beside whatever else ran: "
        f"{describe_environment()['processor']}, {usable_cores()} cores",
    ]
