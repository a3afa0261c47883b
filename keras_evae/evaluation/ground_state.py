"""The search for the lowest state of a system: collapse of the E-VAE beside slow annealing in the same CPU time."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from tqdm import tqdm

from keras_evae import plotting
from keras_evae.annealing import anneal_many
from keras_evae.config import Config, VAEConfig, dump_config, load_config
from keras_evae.dataset import DatasetSpecification, ensure_dataset
from keras_evae.dataset.hdf5 import METADATA_BYTES, VERSIONS, create_file, write_attribute
from keras_evae.errors import DataError, MismatchError
from keras_evae.evaluation.ground_state_tables import Cost, Findings, Origin, PhaseCurve, make_headline, make_section
from keras_evae.evaluation.report import write_report
from keras_evae.evaluation.results import Section
from keras_evae.evaluation.stage_selection import labels
from keras_evae.evaluation.stage_states import generate
from keras_evae.files import disk_errors, hold_lock, publish, write_whole
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.machine import quiet_tensorflow
from keras_evae.minima.certificate import CERTIFICATE, Candidate, best_known, certify
from keras_evae.minima.distinct import distinct_states
from keras_evae.minima.relaxation import relax_states
from keras_evae.minima.slow_anneals import Anneals, anneal_for
from keras_evae.runs.environment import check_training_version
from keras_evae.runs.from_config import dataset_specification, planned_stages
from keras_evae.runs.run import Run, load_run
from keras_evae.runs.run_folder import CONFIG, LOCK, check_same_config, refuse_foreign_folder
from keras_evae.runs.stage_plan import Stage
from keras_evae.training.search_trial import PROBES, Trial, run_trial, searched_evae

logger = logging.getLogger(__name__)


SETTINGS = "search.yaml"
FORMAT_VERSION = 1
# Generated states of each collapsed probe: nearly all are one, a few stray into another minimum.
GENERATED = 20
# The lowest distinct states that are kept: a probe that has not collapsed gives many.
KEPT = 12
TIMED = 16


def find_ground_state(
    config: Config | str | Path,
    output: str | Path,
    seeds: int = 3,
    runs: Sequence[str | Path] = (),
    betas: Sequence[float] = (),
) -> Section:
    """Searches the ground state of a configuration's Hamiltonian by the collapse of the E-VAE.

    Args:
        config: As for `train`. The collapse is sought between the first and the last of `evae.gammas`, at `evae.beta`,
            with probes of as many epochs as the longest stage of the E-VAE.
        output: Folder of the search; one that is there goes on.
        seeds: Number of trials, trained with the seeds `training.seed`, `training.seed` + 1, ...
        runs: Run folders of this configuration's system whose VAEs, and finished stages of an E-VAE, are taken instead.
        betas: Values of beta at which the collapse is sought as well, by as many trials, for the curve of its critical
            gamma.

    Returns:
        Tables, pictures and numbers, which are also written to the folder.

    Raises:
        ConfigError, DataError, MismatchError: If the configuration, a run or what is in the folder cannot be used.
    """
    if not isinstance(config, Config):
        config = load_config(config)
    evae, output = searched_evae(config), Path(output)
    # A folder that is named twice is one trial.
    given = [_open_run(path, config, evae.beta) for path in {Path(path).resolve(): path for path in runs}.values()]
    # Before the lock, which is a file in the folder.
    refuse_foreign_folder(output, "a folder of a search", SETTINGS)
    with hold_lock(output / LOCK):
        _open_folder(output, config)
        if given:
            trials = _run_trials(config, output, evae.beta, given)
        else:
            trials = [_seed_trial(config, output, evae.beta, seed) for seed in range(seeds)]
        curve = {evae.beta: trials}
        for beta in sorted(set(betas) - {evae.beta}):
            curve[beta] = [_seed_trial(config, output, beta, seed, settle=False) for seed in range(len(trials))]
        findings = _conclude(config, output, trials, dict(sorted(curve.items())))
        return _show(findings, output)


def _open_run(path: str | Path, config: Config, beta: float) -> Run:
    run = load_run(path)
    check_training_version(run.path)
    if not any(stage.beta == beta and stage.gamma == 0 for stage in run.stages):
        raise DataError(f"{path}: expected a finished VAE at beta = {beta:g}, found none; let evae-train go on")
    expected, shape = dataset_specification(config).hamiltonian, config.dataset.shape
    if (run.hamiltonian.to_config(), run.shape) != (expected.to_config(), shape):
        raise MismatchError(
            f"{path}: expected a run of one system with the others, {shape} and {expected.describe()}, found "
            f"{run.shape} and {run.hamiltonian.describe()}"
        )
    searched_evae(run.config)
    return run


def _run_trials(config: Config, output: Path, beta: float, runs: Sequence[Run]) -> list[Trial]:
    """A trial of each given run, with its own training and ladder."""
    ensure_dataset(config.dataset.path, dataset_specification(config))
    return [
        run_trial(name, run, run.config, beta, _beta_folder(output, beta) / _plain(name) / PROBES)
        for run, name in zip(runs, labels(runs).values(), strict=True)
    ]


def _open_folder(output: Path, config: Config) -> None:
    """Writes the configuration of a new search, or checks that the existing one is of the same configuration."""
    if (output / SETTINGS).is_file():
        check_same_config(output / SETTINGS, config)
    else:
        write_whole(output / SETTINGS, dump_config(config).encode())


def _seed_trial(config: Config, output: Path, beta: float, seed: int, settle: bool = True) -> Trial:
    """The trial of one seed: its VAE, if it is not there yet, then its probes."""
    folder = _beta_folder(output, beta) / f"seed_{seed}"
    training = config.training.model_copy(update={"seed": config.training.seed + seed})
    vae = config.model_copy(update={"vae": _ladder_up_to(config.vae, beta), "evae": None, "training": training})
    if not (folder / CONFIG).is_file() or len(load_run(folder).stages) < len(planned_stages(vae)):
        with quiet_tensorflow():
            from keras_evae.training.recipe import train
        train(vae, folder)
    check_training_version(folder)
    run = load_run(folder)
    name = f"seed_{seed}" if settle else f"beta_{beta:g}_seed_{seed}"
    return run_trial(name, run, run.config.model_copy(update={"evae": config.evae}), beta, folder / PROBES, settle)


def _ladder_up_to(vae: VAEConfig, beta: float) -> VAEConfig:
    """The VAE's stages below beta, and one at beta, with the longest stage's epochs if the ladder leaves it out."""
    epochs = [vae.epochs] * len(vae.betas) if isinstance(vae.epochs, int) else list(vae.epochs)
    stages = {known: count for known, count in zip(vae.betas, epochs, strict=True) if known <= beta}
    stages.setdefault(beta, max(epochs))
    return VAEConfig(betas=tuple(stages), epochs=tuple(stages.values()))


def _beta_folder(output: Path, beta: float) -> Path:
    return output / f"beta_{beta:g}"


def _plain(name: str) -> str:
    return name.strip("/.").replace("/", "_")


def _conclude(config: Config, output: Path, trials: Sequence[Trial], curve: PhaseCurve) -> Findings:
    """Candidates, anneals in the same CPU time, and certificates, which go to a file."""
    specification = dataset_specification(config)
    hamiltonian, shape = specification.hamiltonian, specification.shape
    costs = [annealing_cost(specification), *_training_costs(trials)]
    clock = time.process_time()
    spins, origins = relax_candidates(trials)
    energies = hamiltonian.energy_per_site(spins.astype(np.float64))
    groups = distinct_states(spins, energies, hamiltonian)
    costs.append(Cost("relaxation of candidates", time.process_time() - clock, f"{len(spins)} states, measured"))
    seconds = sum(cost.cpu_seconds for cost in costs)
    logger.info("Slow anneals for the same CPU time, %.0f s", seconds)
    anneals = anneal_for(hamiltonian, shape, seconds, output)
    others = _found_here(trials, origins, float(energies.min()), seconds, anneals)
    best = best_known(hamiltonian, shape, output, others)
    states = spins[[group.index for group in groups[:KEPT]]]
    certificates = certify(states, hamiltonian, best.energy_per_site)
    findings = Findings(trials, curve, states, groups, origins, certificates, anneals, costs, best)
    names = [findings.origin(rank) for rank in range(len(states))]
    write_candidates(output / "candidates.h5", states, certificates, hamiltonian, names)
    return findings


def _found_here(
    trials: Sequence[Trial], origins: Sequence[Origin], energy: float, seconds: float, anneals: Anneals
) -> list[Candidate]:
    """The lowest states of the search and of what it is compared with."""
    generated = min(origin.energy_per_site for origin in origins)
    states = f"{len(origins)} generated states"
    return [
        Candidate("collapse of the E-VAE", energy, f"{states}, relaxed; {len(trials)} trials, {seconds:.0f} s of CPU"),
        Candidate("collapse of the E-VAE, as generated", generated, states),
        Candidate("slow anneals in the same CPU time", anneals.energy_per_site, f"{len(anneals.energies)} lattices"),
        Candidate("annealed data", trials[0].run.lowest_annealed(), "all its splits"),
    ]


def _training_costs(trials: Sequence[Trial]) -> list[Cost]:
    probes = [finished for trial in trials for finished in trial.probes]
    return training_costs(
        [trial.run for trial in trials],
        [finished.stage.stage for finished in probes],
        [(finished.measured_samples, finished.cpu_seconds) for finished in probes],
    )


def _show(findings: Findings, output: Path) -> Section:
    with plotting.style():
        section = make_section(findings, output)
    section.write(output)
    section.log(output)
    headlines = [make_headline(findings, output.resolve().name)]
    write_report([trial.run for trial in findings.trials], [section], {}, output, headlines)
    return section


def relax_candidates(trials: Sequence[Trial]) -> tuple[np.ndarray, list[Origin]]:
    """Relaxed states of the collapsed probes of all trials, `(n, y, x, 3)`, and where each comes from.

    The latent vectors are the same for each probe. A trial without collapse gives those of its largest gamma.
    """
    probes = [(trial, finished) for trial in trials for finished in trial.giving]
    states, origins = [], []
    for trial, finished in tqdm(probes, "relaxing candidates", unit="probe", leave=False, delay=1):
        generated = np.asarray(generate(trial.run, finished.stage, GENERATED), np.float32)
        states.append(relax_states(generated, trial.run.hamiltonian))
        energies = trial.run.hamiltonian.energy_per_site(generated.astype(np.float64))
        origins += [Origin(trial.name, finished.probe.gamma, float(energy)) for energy in energies]
    return np.concatenate(states), origins


def write_candidates(
    path: Path, spins: np.ndarray, certificates: np.ndarray, hamiltonian: Hamiltonian, origins: Sequence[str]
) -> None:
    """Writes candidates with their certificates to an HDF5 file, which appears when it is complete.

    Layout:

        spins              (n, y, x, 3) float32, checksummed (fletcher32), the lowest first
        energy_per_site    (n,), and so `torque`, `charge`, `skyrmions`, `gap`; see `evaluation.certificate.certify`

    The attributes hold the Hamiltonian, where each state comes from, and the versions of software and format, as JSON.
    """
    partial = path.with_name(f"{path.name}.partial")
    with disk_errors(path):
        # 64 KiB for what HDF5 writes beside the arrays.
        create_file(partial, spins.nbytes + len(spins) * (CERTIFICATE.itemsize + METADATA_BYTES) + 2**16)
        with h5py.File(partial, "r+", libver="latest") as file:
            file.create_dataset("spins", data=spins, chunks=(1, *spins.shape[1:]), fletcher32=True)
            for name in CERTIFICATE.names or ():
                file.create_dataset(name, data=certificates[name], chunks=certificates.shape, fletcher32=True)
            file.attrs["format_version"] = FORMAT_VERSION
            write_attribute(file, "hamiltonian", hamiltonian.to_config())
            write_attribute(file, "versions", VERSIONS)
            write_attribute(file, "origins", {str(index): origin for index, origin in enumerate(origins)})
        publish(partial, path)


def annealing_cost(specification: DatasetSpecification) -> Cost:
    """CPU time of the dataset, from that of the first configurations, which are annealed again."""
    hamiltonian, shape, schedule = specification.hamiltonian, specification.shape, specification.schedule
    # The first one may compile.
    list(anneal_many(hamiltonian, shape, 1, schedule))
    start = time.process_time()
    list(anneal_many(hamiltonian, shape, TIMED, schedule))
    seconds = (time.process_time() - start) / TIMED * specification.count
    return Cost("annealed data", seconds, f"{specification.count} configurations, at the pace of {TIMED} of them")


def training_costs(runs: Sequence[Run], probes: Sequence[Stage], measured: Sequence[tuple[int, float]]) -> list[Cost]:
    """CPU time of the runs that a search started from, and of its probes.

    Args:
        runs: The runs.
        probes: Stages of the probes, of the same training as the first run.
        measured: Samples with their CPU time in seconds: all samples but those before an interruption.
    """
    samples, seconds = (sum(values) for values in zip(*measured, strict=True))
    probed = sum(runs[0].samples(stage) for stage in probes)
    before = sum(run.samples(finished.stage) for run in runs for finished in run.stages)
    pace = seconds / (samples or probed)
    return [
        Cost("training before the probes", before * pace, f"{before} samples, at the pace of the probes"),
        Cost("probes", probed * pace, f"{probed} samples, {samples / probed:.0%} of them measured"),
    ]
