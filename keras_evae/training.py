"""The recipe of evae-train: annealed data, then the VAE's stages, then the E-VAE's stages."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from keras_evae.board import log_hyperparameters, log_stage
from keras_evae.checkpoints import CHECKPOINT, Checkpoint, check_values, read_checkpoint, remove_checkpoint
from keras_evae.config import Config, load_config
from keras_evae.dataset import check_specification, ensure_dataset, read_energies
from keras_evae.environment import check_training_version
from keras_evae.errors import ConfigError, DataError
from keras_evae.fitting import fit_stage, steps_per_epoch
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.inheritance import describe_taken_stages, shared_stages, take_stages
from keras_evae.lock import hold_lock
from keras_evae.model import EVAE
from keras_evae.optimizers import FusedAdam
from keras_evae.plan import describe_plan, describe_posterior_collapse
from keras_evae.progress import Pace
from keras_evae.runs import (
    CONFIG,
    LOCK,
    Run,
    check_same_config,
    dataset_specification,
    load_run,
    open_run_folder,
    planned_stages,
    refuse_foreign_folder,
)
from keras_evae.schedules import Stage
from keras_evae.stage_metrics import evaluate_stage
from keras_evae.stages import FinishedStage, finished_stages, load_stage_weights, refuse_orphans, save_stage
from keras_evae.strategies import (
    choose_strategy,
    describe_strategy,
    is_chief,
    meet_workers,
    record_strategy,
    report_lost_workers,
    spans_hosts,
)

logger = logging.getLogger(__name__)


def train(
    config: Config | str | Path,
    output: str | Path,
    strategy: str | None = None,
    stages_from: str | Path | None = None,
) -> Run:
    """Does whatever is missing of a run: anneals its dataset, trains its stages one after the other.

    Args:
        config: The run's configuration, or what `load_config` takes: a YAML file or a name such as `quickstart`.
        output: The run's folder; an existing one goes on from its checkpoint or its last finished stage.
        strategy: `mirrored` or `multiworker` to train on several devices; None for one.
        stages_from: Folder of another run, whose finished stages are taken over where both plans begin alike.

    Returns:
        The finished run, opened. A worker that is not the chief gets the run as the folder shows it when that worker
        has trained: the chief may still be writing the last stage.
    """
    if not isinstance(config, Config):
        config = load_config(config)
    if strategy and config.training.jit_compile:
        raise ConfigError("training.jit_compile: expected false with --strategy (XLA cannot compile it), found true")
    devices = choose_strategy(strategy, config.training.batch_size)
    with report_lost_workers():
        if is_chief(devices):
            _lead(config, output, devices, stages_from)
        else:
            _follow(config, Path(output), devices)
    return load_run(output, terms=dataset_specification(config).hamiltonian.terms)


def _lead(config: Config, output: str | Path, devices: tf.distribute.Strategy, stages_from: str | Path | None) -> None:
    """The whole run, but for the training steps of other workers."""
    specification = dataset_specification(config)
    if config.dataset.path.exists():
        check_specification(config.dataset.path, specification)
    shared = shared_stages(stages_from, config) if stages_from else ()
    folder = Path(output)
    # Before the lock, which is a file in the folder.
    refuse_foreign_folder(folder)
    with hold_lock(folder / LOCK):
        open_run_folder(folder, config, {"strategy": record_strategy(devices)})
        if stages_from:
            take_stages(folder, stages_from, shared)
        stages = planned_stages(config)
        finished = finished_stages(folder, stages)
        missing = stages[len(finished) :]
        refuse_orphans(folder, missing)
        model = build_model(config, specification.hamiltonian, devices)
        checkpoint = _read_checkpoint(folder, model, stages, len(finished))
        samples = _samples_to_go(config, missing, checkpoint)
        for line in describe_plan(config, specification, model, stages, len(finished), samples):
            logger.info(line)
        for line in describe_taken_stages(folder):
            logger.info(line)
        _log_devices(config, devices)
        logger.info(f"{'Run folder':12s} {folder}")
        ensure_dataset(config.dataset.path, specification)
        energies = read_energies(config.dataset.path, "train")
        logger.info("Annealed     mean E/N %.5f, lowest %.5f", energies.mean(), energies.min())
        logger.info(describe_posterior_collapse(config, specification, stages))
        meet_workers(devices, len(finished))
        if missing:
            _train_missing(config, folder, model, stages, finished, checkpoint)
    logger.info("Run finished: %s. Look at it with: evae-evaluate --run %s", folder, folder)


def _follow(config: Config, folder: Path, devices: tf.distribute.Strategy) -> None:
    """The training steps of a worker that is not the chief: it writes nothing, and speaks of problems only."""
    logger.setLevel(logging.WARNING)
    specification, stages = dataset_specification(config), planned_stages(config)
    # Variables get the chief's values: this waits until the chief has opened the run folder and builds its model.
    model = build_model(config, specification.hamiltonian, devices)
    _expect_shared(folder / CONFIG)
    check_same_config(folder / CONFIG, config)
    check_training_version(folder)
    finished = finished_stages(folder, stages)
    # The chief comes here when it has made the dataset.
    meet_workers(devices, len(finished))
    _expect_shared(config.dataset.path)
    check_specification(config.dataset.path, specification)
    _train_missing(config, folder, model, stages, finished, None)


def _expect_shared(file: Path) -> None:
    if not file.is_file():
        raise DataError(
            f"{file}: expected the file that the chief has written, found none; all workers need the same run folder "
            f"and dataset, on a shared file system"
        )


def _read_checkpoint(folder: Path, model: EVAE, stages: tuple[Stage, ...], finished: int) -> Checkpoint | None:
    """The checkpoint of the first missing stage, if there is one.

    Raises:
        DataError: If the checkpoint is damaged, or of a stage that the one before is missing for.
    """
    file = folder / CHECKPOINT
    checkpoint = read_checkpoint(file)
    names = [stage.name for stage in stages]
    if checkpoint is None or checkpoint.stage not in names[finished:]:
        remove_checkpoint(file)
        return None
    if checkpoint.stage != names[finished]:
        raise DataError(
            f"{file}: expected the stage {names[finished]}, found {checkpoint.stage}; "
            f"delete it, and training goes on after the last finished stage"
        )
    if spans_hosts(model.distribute_strategy):
        raise DataError(
            f"{file}: expected none, as several hosts go on from finished stages only; finish {checkpoint.stage} on "
            f"one host, or delete the file, and training goes on after the last finished stage"
        )
    check_values(file, model, checkpoint)
    return checkpoint


def _samples_to_go(config: Config, missing: Sequence[Stage], checkpoint: Checkpoint | None) -> int:
    steps = sum(stage.epochs for stage in missing) * steps_per_epoch(config)
    if checkpoint:
        steps -= (checkpoint.epoch - missing[0].first_epoch) * steps_per_epoch(config) + checkpoint.step
    return steps * config.training.batch_size


def _train_missing(
    config: Config,
    folder: Path,
    model: EVAE,
    stages: tuple[Stage, ...],
    finished: tuple[FinishedStage, ...],
    checkpoint: Checkpoint | None,
) -> None:
    pace = Pace(_samples_to_go(config, stages[len(finished) :], checkpoint))
    if is_chief(model.distribute_strategy):
        log_hyperparameters(folder / "tensorboard", folder.resolve().name, _hyperparameters(config, stages))
    if finished and checkpoint is None:
        load_stage_weights(model, finished[-1])
    for stage in stages[len(finished) :]:
        _train_stage(config, folder, model, stages, stage, checkpoint, pace)
        checkpoint = None


def _hyperparameters(config: Config, stages: Sequence[Stage]) -> dict[str, bool | int | float | str]:
    """What a sweep may vary, by the names of the field."""
    training, (height, width) = config.training, config.dataset.shape
    physics = config.hamiltonian.model_dump(include={"J", "D", "B", "K", "J2", "dmi"})
    choices = training.model_dump(include={"learning_rate", "batch_size", "seed", "augmentation", "reset_optimizer"})
    return {
        "beta": stages[-1].beta,
        "largest gamma": stages[-1].gamma,
        "lattice": f"{height} x {width}",
        "latent_dim": config.network.latent_dim,
        "training samples": config.dataset.train,
        "epochs": stages[-1].last_epoch,
        "gradient_clip_norm": training.gradient_clip_norm or 0.0,
        **physics,
        **choices,
    }


def build_model(config: Config, hamiltonian: Hamiltonian, devices: tf.distribute.Strategy) -> EVAE:
    training = config.training
    # With a strategy the variables have copies on several devices, which only Keras' Adam knows.
    alone = devices is tf.distribute.get_strategy()
    with devices.scope():
        model = EVAE(
            config.dataset.shape,
            config.network.latent_dim,
            hamiltonian,
            seed=training.seed,
            phases=_uses_phases(config, devices),
            precision=training.precision,
            largest_log_variance=config.network.largest_log_variance,
        )
        adam = FusedAdam if alone else keras.optimizers.Adam
        optimizer = adam(training.learning_rate, beta_1=0.9, beta_2=0.999, global_clipnorm=training.gradient_clip_norm)
        optimizer.build(model.trainable_variables)
        model.compile(optimizer=optimizer, jit_compile=training.jit_compile)
    return model


def _uses_phases(config: Config, devices: tf.distribute.Strategy) -> bool:
    one_device = devices.num_replicas_in_sync == 1
    return config.training.phases and one_device and config.training.precision == "float32"


def _log_devices(config: Config, devices: tf.distribute.Strategy) -> None:
    training = config.training
    if devices.num_replicas_in_sync == 1 and training.precision == "float32":
        return
    without = "; training.phases is for one device in float32, so without" if training.phases else ""
    words = describe_strategy(devices, training.batch_size)
    logger.info(f"{'Devices':12s} {words}, in {training.precision}{without}")


def reset_optimizer(optimizer: keras.optimizers.Optimizer) -> None:
    """Zeroes Adam's moments and step count; a new optimiser would need a new trace of the training step."""
    for variable in optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(tf.zeros_like(variable))


def _train_stage(
    config: Config,
    folder: Path,
    model: EVAE,
    stages: tuple[Stage, ...],
    stage: Stage,
    resumed: Checkpoint | None,
    pace: Pace,
) -> None:
    start, left = time.perf_counter(), pace.left
    if config.training.reset_optimizer and stage.index and resumed is None:
        reset_optimizer(model.optimizer)
    history = fit_stage(config, folder, model, stage, len(stages), resumed, pace)
    seconds = time.perf_counter() - start
    metrics, pictures, angles = evaluate_stage(config, model)
    if not is_chief(model.distribute_strategy):
        return
    log_stage(folder / "tensorboard", stage.name, stage.last_epoch - 1, metrics, pictures, angles)
    save_stage(folder, stage, model, metrics, history)
    # After a kill between these two lines the checkpoint is known to be of a stage that is finished.
    remove_checkpoint(folder / CHECKPOINT)
    _log_stage_line(stage, metrics, seconds, left - pace.left)


def _log_stage_line(stage: Stage, metrics: dict[str, dict[str, float]], seconds: float, samples: int) -> None:
    validation, generated = metrics["validation"], metrics["generated"]
    logger.info(
        "%-28s L_RC %.4f  L_KL %8.2f  L_H %.5f | generated E/N %.5f +- %.0e, FFT-MSE %.1e | %.0f s, %.0f samples/s",
        _weights_in_words(stage),
        validation["reconstruction_loss"],
        validation["kl_loss"],
        validation["hamiltonian_loss"],
        generated["energy_per_site_mean"],
        generated["energy_per_site_std"],
        generated["fft_mse"],
        seconds,
        samples / seconds,
    )


def _weights_in_words(stage: Stage) -> str:
    return f"beta {stage.beta:g} gamma {stage.gamma:g}"
