"""The search for the lowest state of a system: slow anneals, placed lattices, collapse of the E-VAE."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_evae.analysis.transitions import COLLAPSED_KL, LIKENESS_DROP
from keras_evae.annealing import anneal_many
from keras_evae.config import Config, dump_config, load_config
from keras_evae.config_sections import EVAEConfig
from keras_evae.dataset import DatasetSpecification, ensure_dataset
from keras_evae.errors import ConfigError, DataError, MismatchError, as_integer, as_number
from keras_evae.evaluation.ground_state_tables import draw_states, make_headline, make_search_section
from keras_evae.evaluation.relaxed_states import write_states
from keras_evae.evaluation.report import write_report
from keras_evae.evaluation.results import Record, Section
from keras_evae.evaluation.stage_selection import by_label
from keras_evae.evaluation.stage_states import generate
from keras_evae.files import hold_lock, write_whole
from keras_evae.minima.certificate import CERTIFICATE, certify
from keras_evae.minima.distinct import distinct_states
from keras_evae.minima.relaxation import relax_states
from keras_evae.minima.skyrmion_lattices import relaxed_lattices
from keras_evae.minima.slow_anneals import anneal_for
from keras_evae.runs.environment import check_training_version
from keras_evae.runs.from_config import dataset_specification
from keras_evae.runs.run import Run, load_run
from keras_evae.runs.run_folder import LOCK, check_same_config, free_keys, refuse_foreign_folder

if TYPE_CHECKING:
    from keras_evae.training.search_trial import Trial

SETTINGS = "search.yaml"
# The lowest distinct states that are kept: a probe that has not collapsed gives many.
KEPT = 12
# Of a state: method or trial, and gamma of the probe.
Origin = tuple[str, float]


def find_ground_state(
    config: Config | str | Path,
    output: str | Path,
    seeds: int = 3,
    runs: Sequence[str | Path] = (),
    betas: Sequence[float] = (),
    count: int = 20,
    anneal_seconds: float | None = None,
    bound: float = COLLAPSED_KL,
    factor: float = LIKENESS_DROP,
) -> Section:
    """Searches the lowest state of a configuration's Hamiltonian by slow anneals, placed lattices and the E-VAE.

    Returns tables, pictures and numbers, which are also written to the folder.

    Args:
        config: As for `train`. The collapse is sought between the first and the last of `evae.gammas`, at `evae.beta`,
            with probes, trainings at one gamma, of as many epochs as the longest stage of the E-VAE.
        output: Folder of the search; one that is there goes on.
        seeds: Number of trials, trained with the seeds `training.seed`, `training.seed` + 1, ...
        runs: Run folders of this configuration's system whose VAEs, and finished stages of an E-VAE, are taken instead.
        betas: Values of beta at which the collapse is sought as well, by as many trials.
        count: Generated states of each collapsed probe: nearly all are one, a few stray into another minimum.
        anneal_seconds: CPU time of the slow anneals; by default that of the whole search with the E-VAE.
        bound, factor: What counts as collapse, see `keras_evae.training.search_trial.Trial`.

    Raises:
        ConfigError, DataError, MismatchError: If the configuration, a run or what is in the folder cannot be used.
    """
    seeds, count = as_integer("seeds", seeds, 0 if runs else 1), as_integer("count", count, 1)
    betas = [as_number("betas", beta, positive=True) for beta in betas]
    anneal_seconds = None if anneal_seconds is None else as_number("anneal_seconds", anneal_seconds)
    config = config if isinstance(config, Config) else load_config(config)
    beta, output = searched_evae(config).beta, Path(output)
    # A folder that is named twice is one trial.
    given = [_open_run(path, config) for path in {Path(path).resolve(): path for path in runs}.values()]
    # Before the lock, which is a file in the folder.
    refuse_foreign_folder(output, "a folder of a search", SETTINGS)
    with hold_lock(output / LOCK):
        if (output / SETTINGS).is_file():
            check_same_config(output / SETTINGS, config, free_keys(config))
        else:
            write_whole(output / SETTINGS, dump_config(config).encode())
        if given:
            ensure_dataset(config.dataset.path, dataset_specification(config))
        named = by_label(given) or dict.fromkeys(f"seed_{k}" for k in range(seeds))
        trial = functools.partial(_make_trial, config, output, factor)
        trials = [trial(beta, name, run).search(bound) for name, run in named.items()]
        # At another beta only the collapse is sought.
        others = itertools.product(sorted(set(betas) - {beta}), range(len(trials)))
        curve = [trial(other, f"seed_{k}").search(bound, settle=False) for other, k in others]
        states, methods = _compare_methods(config, output, trials, count, anneal_seconds)
        section = make_search_section(trials, curve, states, methods)
        section.publish(output)
        headline = make_headline(section, methods, trials[0].run, output.resolve().name)
        write_report([found.run for found in trials], [section], {}, output, [headline])
        return section


def searched_evae(config: Config) -> EVAEConfig:
    """The E-VAE of a configuration whose ladder of gamma has two ends, between which the collapse is sought."""
    if config.evae is None or len(config.evae.gammas) < 2:
        raise ConfigError(
            "evae.gammas: expected at least two values, such as [10, 10000], between which the collapse is sought, "
            f"found {list(config.evae.gammas) if config.evae else 'no evae section'}"
        )
    return config.evae


def _open_run(path: str | Path, config: Config) -> Run:
    expected, shape, beta = dataset_specification(config).hamiltonian, config.dataset.shape, searched_evae(config).beta
    run = load_run(path, terms=expected.terms)
    check_training_version(run.path)
    if not any(stage.beta == beta and stage.gamma == 0 for stage in run.stages):
        raise DataError(f"{path}: expected a finished VAE at beta = {beta:g}, found none; let evae-train go on")
    if (run.hamiltonian.to_config(), run.shape) != (expected.to_config(), shape):
        raise MismatchError(
            f"{path}: expected a run of one system with the others, {shape} and {expected.describe()}, found "
            f"{run.shape} and {run.hamiltonian.describe()}"
        )
    searched_evae(run.config)
    return run


def _make_trial(config: Config, output: Path, factor: float, beta: float, name: str, run: Run | None = None) -> Trial:
    """The trial of a given run, with its own E-VAE, or of a seed, whose VAE is trained if it is not finished."""
    folder, evae = output / f"beta_{beta:g}" / name.strip("/.").replace("/", "_"), searched_evae(config)
    # Imported late, as TensorFlow comes with it.
    from keras_evae.training.search_trial import Trial

    if run is None:
        from keras_evae.training.recipe import train_vae

        run = train_vae(config, folder, beta, config.training.seed + int(name.removeprefix("seed_")))
    name = name if beta == evae.beta else f"beta_{beta:g}_{name}"
    return Trial(name, run, beta, run.config.evae or evae, folder / "probes", factor)


def _compare_methods(
    config: Config, output: Path, trials: Sequence[Trial], count: int, anneal_seconds: float | None
) -> tuple[list[Record], list[Record]]:
    """The lowest distinct states, which go to a file and a picture, and what each method has found."""
    specification, run, clock = dataset_specification(config), trials[0].run, time.process_time()
    hamiltonian, shape = specification.hamiltonian, specification.shape
    generated, origins = _generate(trials, count)
    relaxed = relax_states(generated, hamiltonian)
    seconds = {"states": time.process_time() - clock, **_cpu_seconds(specification, trials)}
    total = sum(seconds.values())
    anneals = anneal_for(hamiltonian, shape, total if anneal_seconds is None else anneal_seconds, output)
    clock = time.process_time()
    lattices, placed = relaxed_lattices(hamiltonian, shape)
    placing = time.process_time() - clock

    annealed = relax_states(run.lowest_annealed_state()[None], hamiltonian)
    spins = np.concatenate([relaxed, anneals.spins[None], annealed, placed[:1]])
    energies = hamiltonian.energy_per_site(spins.astype(np.float64))
    evae = float(energies[: len(relaxed)].min())
    reached = anneals.seconds_to(evae)
    arrived = "never as low as the E-VAE" if reached is None else f"as low as the E-VAE after {reached:.2g} s"
    parts = ", ".join(f"{part} {value:.3g} s" for part, value in seconds.items())
    before = hamiltonian.energy_per_site(generated.astype(np.float64)).tolist()
    methods: list[tuple[str, int, float, float, str]] = [
        ("slow anneals", len(anneals.energies), anneals.energy_per_site, anneals.cpu_seconds, arrived),
        ("generated states, relaxed", len(relaxed), evae, total, parts),
        ("generated states", len(relaxed), min(before), total, "as generated"),
        ("annealed data", specification.count, run.lowest_annealed(), seconds["data"], "all splits"),
    ]
    if lattices:
        words = f"the lowest from {len(lattices[0].positions)} skyrmions"
        methods.insert(1, ("placed lattices", len(lattices), float(energies[-1]), placing, words))
    best = min(energy for _, _, energy, _, _ in methods)
    origins += [("slow anneals", 0.0), ("annealed data", 0.0), ("placed lattices", 0.0)]
    before += [float(anneals.energies.min()), run.lowest_annealed(), None]
    groups = distinct_states(spins, energies, hamiltonian)[:KEPT]
    spins = spins[[group[0] for group in groups]]
    certificates = certify(spins, hamiltonian, best)
    found_by = [_in_words([origins[index] for index in group]) for group in groups]
    write_states(output / "candidates.h5", spins, certificates, hamiltonian, found_by)
    rows: list[Record] = [
        dict(zip(CERTIFICATE.names or (), certificate.item(), strict=True))
        | {"energy_before": before[group[0]], "states": len(group), "found_by": names}
        for certificate, group, names in zip(certificates, groups, found_by, strict=True)
    ]
    draw_states(rows, spins, output / "ground_state.png")
    columns = "method", "states", "energy_per_site", "gap", "cpu_seconds", "detail"
    return rows, [dict(zip(columns, (*found[:3], found[2] - best, *found[3:]), strict=True)) for found in methods]


def _in_words(origins: Sequence[Origin]) -> str:
    """Methods and trials that have found a state, these with the smallest gamma at which each has."""
    gammas = dict(sorted(origins, reverse=True))
    return ", ".join(f"{name} from gamma = {gamma:g}" if gamma else name for name, gamma in sorted(gammas.items()))


def _generate(trials: Sequence[Trial], count: int) -> tuple[np.ndarray, list[Origin]]:
    """States of the collapsed probes, or of the largest gamma where there is none."""
    states, origins = [], []
    for trial in trials:
        collapsed = [probe for probe in trial.probes if probe.collapsed]
        for probe in collapsed or [max(trial.probes, key=lambda probe: probe.gamma)]:
            states.append(np.asarray(generate(trial.run, probe.stage, count), np.float32))
            origins += [(f"E-VAE of {trial.name}", probe.gamma)] * count
    return np.concatenate(states), origins


def _cpu_seconds(specification: DatasetSpecification, trials: Sequence[Trial], timed: int = 16) -> dict[str, float]:
    """CPU time of the data, of which some are annealed again, and of the training; where not measured, at that pace."""
    # The first one may compile.
    for number in (1, timed):
        clock = time.process_time()
        list(anneal_many(specification.hamiltonian, specification.shape, number, specification.schedule))
    data = (time.process_time() - clock) / timed * specification.count
    probes = [(trial.run, probe) for trial in trials for probe in trial.probes]
    samples = sum(run.samples(probe.stage.stage) for run, probe in probes)
    measured, cpu = (sum(probe.record[name] for _, probe in probes) for name in ("measured_samples", "cpu_seconds"))
    pace = cpu / (measured or samples)
    before = sum(trial.run.samples(stage.stage) for trial in trials for stage in trial.run.stages)
    return {"data": data, "training before the probes": before * pace, "probes": samples * pace}
