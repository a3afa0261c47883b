"""The search for the lowest state of a system by all methods: slow anneals, placed lattices, collapse of the E-VAE."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_evae.annealing import anneal_many
from keras_evae.config import Config, EVAEConfig, dump_config, load_config
from keras_evae.dataset import DatasetSpecification, ensure_dataset
from keras_evae.errors import ConfigError, DataError, MismatchError
from keras_evae.evaluation.ground_state_tables import Row, draw_states, make_headline, make_section
from keras_evae.evaluation.relaxed_states import write_states
from keras_evae.evaluation.report import write_report
from keras_evae.evaluation.results import Section
from keras_evae.evaluation.stage_selection import labels
from keras_evae.evaluation.stage_states import generate
from keras_evae.files import hold_lock, write_whole
from keras_evae.machine import quiet_tensorflow
from keras_evae.minima.certificate import CERTIFICATE, certify
from keras_evae.minima.distinct import distinct_states
from keras_evae.minima.relaxation import relax_states
from keras_evae.minima.skyrmion_lattices import relaxed_lattices
from keras_evae.minima.slow_anneals import anneal_for
from keras_evae.runs.environment import check_training_version
from keras_evae.runs.from_config import dataset_specification
from keras_evae.runs.run import Run, load_run
from keras_evae.runs.run_folder import CONFIG, LOCK, check_same_config, refuse_foreign_folder
from keras_evae.training.search_trial import RECORD, Trial

if TYPE_CHECKING:
    from keras_evae.training.trainer import Trainer

SETTINGS, RELAXED = "search.yaml", "generated states, relaxed"


def find_ground_state(
    config: Config | str | Path,
    output: str | Path,
    seeds: int = 3,
    runs: Sequence[str | Path] = (),
    betas: Sequence[float] = (),
    count: int = 20,
    anneal_seconds: float | None = None,
    bound: float = math.log(2),
    factor: float = 30.0,
) -> Section:
    """Searches the lowest state of a configuration's Hamiltonian by slow anneals, placed lattices and the E-VAE.

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

    Returns:
        Tables, pictures and numbers, which are also written to the folder.

    Raises:
        ConfigError, DataError, MismatchError: If the configuration, a run or what is in the folder cannot be used.
    """
    if not isinstance(config, Config):
        config = load_config(config)
    beta, output = searched_evae(config).beta, Path(output)
    # A folder that is named twice is one trial.
    given = [_open_run(path, config) for path in {Path(path).resolve(): path for path in runs}.values()]
    # Before the lock, which is a file in the folder.
    refuse_foreign_folder(output, "a folder of a search", SETTINGS)
    with hold_lock(output / LOCK):
        if (output / SETTINGS).is_file():
            check_same_config(output / SETTINGS, config)
        else:
            write_whole(output / SETTINGS, dump_config(config).encode())
        if given:
            ensure_dataset(config.dataset.path, dataset_specification(config))
        trial = functools.partial(_run_trial, config, output, {"bound": bound, "factor": factor})
        named: Mapping[str, Run | None] = {name: run for run, name in zip(given, labels(given).values(), strict=True)}
        named = named or {f"seed_{seed}": None for seed in range(seeds)}
        trials = [trial(beta, name, run) for name, run in named.items()]
        others = sorted(set(betas) - {beta})
        curve = {other: [trial(other, f"seed_{seed}") for seed in range(len(trials))] for other in others}
        curve = dict(sorted({**curve, beta: trials}.items()))
        states, methods = _compare_methods(config, output, trials, count, anneal_seconds)
        section = make_section(trials, curve, states, methods, output)
        section.write(output)
        section.log(output)
        headline = make_headline(trials, states[0], methods, output.resolve().name)
        write_report([trial.run for trial in trials], [section], {}, output, [headline])
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


def _run_trial(
    config: Config, output: Path, rule: Mapping[str, float], beta: float, name: str, run: Run | None = None
) -> Trial:
    """The trial of a given run, with its own E-VAE, or of a seed; at another beta only the collapse is sought."""
    folder, evae = output / f"beta_{beta:g}" / name.strip("/.").replace("/", "_"), searched_evae(config)
    run = run or _train_vae(config, folder, beta)
    settle = beta == evae.beta
    evae = run.config.evae or evae
    # A probe is as long as the longest stage of the ladder.
    epochs = evae.epochs if isinstance(evae.epochs, int) else max(evae.epochs)

    def make_trainer() -> Trainer:
        with quiet_tensorflow():
            from keras_evae.training.recipe import make_trainer
        return make_trainer(run.config, dataset_specification(run.config), folder / "probes")

    trial = Trial(name if settle else f"beta_{beta:g}_{name}", run, beta, folder / "probes", epochs, make_trainer, rule["factor"])
    return trial.search(evae.gammas, settle, rule["bound"])


def _train_vae(config: Config, folder: Path, beta: float) -> Run:
    """The run of the seed that the folder is named after: a VAE up to beta."""
    seed = config.training.seed + int(folder.name.removeprefix("seed_"))
    training, terms = config.training.model_copy(update={"seed": seed}), dataset_specification(config).hamiltonian.terms
    config = config.model_copy(update={"vae": config.vae.up_to(beta), "evae": None, "training": training})
    if not (folder / CONFIG).is_file() or len(load_run(folder).stages) < len(config.vae.betas):
        with quiet_tensorflow():
            from keras_evae.training import train
        train(config, folder)
    check_training_version(folder)
    return load_run(folder, terms=terms)


def _compare_methods(
    config: Config, output: Path, trials: Sequence[Trial], count: int, anneal_seconds: float | None, kept: int = 12
) -> tuple[list[Row], list[Row]]:
    """The lowest distinct states, which go to a file and a picture, and what each method has found and taken."""
    specification = dataset_specification(config)
    hamiltonian, shape = specification.hamiltonian, specification.shape
    generated, sources = _generate(trials, count)
    seconds, clock = _cpu_seconds(specification, trials), time.process_time()
    relaxed = relax_states(generated, hamiltonian)
    training, total = sum(seconds.values()), sum(seconds.values()) + time.process_time() - clock
    anneals = anneal_for(hamiltonian, shape, total if anneal_seconds is None else anneal_seconds, output)
    clock = time.process_time()
    lattices, placed = relaxed_lattices(hamiltonian, shape)
    placing = time.process_time() - clock

    spins = np.concatenate([relaxed, anneals.spins[None], placed[:1]])
    energies = hamiltonian.energy_per_site(spins.astype(np.float64))
    before = [*hamiltonian.energy_per_site(generated.astype(np.float64)), anneals.energies.min(), None]
    evae, reached = float(energies[: len(relaxed)].min()), anneals.seconds_to(energies[: len(relaxed)].min())
    arrived = "never as low as the E-VAE" if reached is None else f"as low as the E-VAE after {reached:.2g} s"
    parts = ", ".join(f"{part} {value:.3g} s" for part, value in seconds.items())
    found = [
        ("slow anneals", len(anneals.energies), anneals.energy_per_site, anneals.cpu_seconds, arrived),
        (RELAXED, len(relaxed), evae, total, f"{len(trials)} trials: {parts}, and relaxation"),
        ("generated states", len(relaxed), float(min(before[: len(relaxed)])), training, "as the collapse leaves them"),
        ("annealed data", specification.count, trials[0].run.lowest_annealed(), seconds["data"], "all splits"),
    ]
    if lattices:
        words = f"the lowest from {len(lattices[0].positions)} skyrmions"
        found.insert(1, ("placed lattices", len(lattices), float(energies[-1]), placing, words))
    best = min(row[2] for row in found)
    methods = [
        {
            "method": name,
            "states": number,
            "energy_per_site": energy,
            "gap": energy - best,
            "cpu_seconds": cpu,
            "detail": detail,
        }
        for name, number, energy, cpu, detail in found
    ]

    groups = distinct_states(spins, energies, hamiltonian)
    spins = spins[[group[0] for group in groups[:kept]]]
    certificates = certify(spins, hamiltonian, best)
    names = [_found_by([*sources, ("slow anneals", 0.0), ("placed lattices", 0.0)], group) for group in groups[:kept]]
    states = [
        {
            "rank": rank,
            **dict(zip(CERTIFICATE.names, certificate.item(), strict=True)),
            "energy_before": before[group[0]],
            "states": len(group),
            "found_by": name,
        }
        for rank, (certificate, group, name) in enumerate(zip(certificates, groups[:kept], names, strict=True), start=1)
    ]
    write_states(output / "candidates.h5", spins, certificates, hamiltonian, names)
    draw_states(states, spins, output / "ground_state.png")
    return states, methods


def _found_by(sources: Sequence[tuple[str, float]], group: Sequence[int]) -> str:
    """Methods and trials that have found a state, these with the smallest gamma at which each has."""
    gammas = dict(sorted((sources[index] for index in group), reverse=True))
    return ", ".join(f"{name} from gamma = {gamma:g}" if gamma else name for name, gamma in sorted(gammas.items()))


def _generate(trials: Sequence[Trial], count: int) -> tuple[np.ndarray, list[tuple[str, float]]]:
    """States of the collapsed probes, or of the largest gamma where there is none, with trial and gamma of each."""
    states, sources = [], []
    for trial in trials:
        collapsed = [probe for probe in trial.probes if probe.collapsed]
        for probe in collapsed or [max(trial.probes, key=lambda probe: probe.gamma)]:
            states.append(np.asarray(generate(trial.run, probe.stage, count), np.float32))
            sources += [(trial.name, probe.gamma)] * count
    return np.concatenate(states), sources


def _cpu_seconds(specification: DatasetSpecification, trials: Sequence[Trial], timed: int = 16) -> dict[str, float]:
    """CPU time of the data, of which some are annealed again, and of the training; where not measured, at that pace."""
    given = specification.hamiltonian, specification.shape
    # The first one may compile.
    list(anneal_many(*given, 1, specification.schedule))
    clock = time.process_time()
    list(anneal_many(*given, timed, specification.schedule))
    data = (time.process_time() - clock) / timed * specification.count
    probes = [(trial.run, probe.stage) for trial in trials for probe in trial.probes]
    samples = sum(run.samples(stage.stage) for run, stage in probes)
    measured, cpu = (
        sum(stage.metrics[RECORD][name] for _, stage in probes) for name in ("measured_samples", "cpu_seconds")
    )
    pace = cpu / (measured or samples)
    before = sum(trial.run.samples(stage.stage) for trial in trials for stage in trial.run.stages)
    return {"data": data, "training before the probes": before * pace, "probes": samples * pace}
