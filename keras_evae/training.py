"""The recipe of train.py: annealed data, then the VAE's stages, then the E-VAE's stages."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_evae.analysis import fft_mse, topological_charge
from keras_evae.board import drop_unfinished_logs, log_stage
from keras_evae.callbacks import BetaScheduler, GammaScheduler, StageProgress, StopOnNonFinite
from keras_evae.config import Config
from keras_evae.dataset import check_specification, ensure_dataset, read_energies, read_split
from keras_evae.errors import NumericalError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.lock import hold_lock
from keras_evae.model import EVAE
from keras_evae.optimizers import FusedAdam
from keras_evae.pipeline import evaluation_batches, streaming_batches, training_batches
from keras_evae.plan import describe_plan
from keras_evae.runs import (
    LOCK,
    METRICS,
    FinishedStage,
    dataset_specification,
    finished_stages,
    load_stage_weights,
    open_run_folder,
    planned_stages,
    refuse_orphans,
    save_stage,
)
from keras_evae.schedules import Stage, stage_at

logger = logging.getLogger(__name__)

# States generated at the end of a stage, as for Figure 5B, and the seed of their latent vectors.
GENERATED, GENERATION_SEED = 100, 0
PICTURES = 3


def train(config: Config, output: str | Path) -> None:
    """Does whatever is missing of a run: anneals its dataset, trains its stages one after the other.

    Args:
        config: The run's configuration.
        output: The run's folder; an existing one goes on from its last finished stage.
    """
    specification = dataset_specification(config)
    if config.dataset.path.exists():
        check_specification(config.dataset.path, specification)
    folder = open_run_folder(output, config)
    with hold_lock(folder / LOCK):
        stages = planned_stages(config)
        finished = finished_stages(folder, stages)
        missing = stages[len(finished) :]
        refuse_orphans(folder, missing)
        model = _build_model(config, specification.hamiltonian)
        for line in describe_plan(config, specification, model, stages, len(finished)):
            logger.info(line)
        logger.info(f"{'Run folder':12s} {folder}")
        ensure_dataset(config.dataset.path, specification)
        energies = read_energies(config.dataset.path, "train")
        logger.info("Annealed     mean E/N %.5f, lowest %.5f", energies.mean(), energies.min())
        if missing:
            _train_missing(config, folder, model, stages, finished)
    logger.info(
        "Run finished: %s. Look at it with: python evaluate.py --run %s --losses --reconstructions --fft-mse",
        folder,
        folder,
    )


def _train_missing(
    config: Config, folder: Path, model: EVAE, stages: tuple[Stage, ...], finished: tuple[FinishedStage, ...]
) -> None:
    if finished:
        load_stage_weights(model, finished[-1])
    drop_unfinished_logs(folder / "tensorboard", finished[-1].path / METRICS if finished else None)
    for stage in stages[len(finished) :]:
        _train_stage(config, folder, model, stages, stage)


def _build_model(config: Config, hamiltonian: Hamiltonian) -> EVAE:
    training = config.training
    model = EVAE(
        config.dataset.shape, config.network.latent_dim, hamiltonian, seed=training.seed, phases=training.phases
    )
    optimizer = FusedAdam(training.learning_rate, beta_1=0.9, beta_2=0.999, global_clipnorm=training.gradient_clip_norm)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer, jit_compile=training.jit_compile)
    return model


def _reset_optimizer(optimizer: keras.optimizers.Optimizer) -> None:
    """Zeroes Adam's moments and step count; a new optimiser would need a new trace of the training step."""
    for variable in optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(tf.zeros_like(variable))


def _train_stage(config: Config, folder: Path, model: EVAE, stages: tuple[Stage, ...], stage: Stage) -> None:
    start = time.perf_counter()
    path, training = config.dataset.path, config.training
    if training.reset_optimizer and stage.index:
        _reset_optimizer(model.optimizer)
    batches = _training_batches(config, range(stage.first_epoch, stage.last_epoch))
    words = f"stage {stage.index + 1}/{len(stages)} {_weights_in_words(stage)}"
    with StageProgress(words, len(batches)) as progress:
        history = model.fit(
            batches,
            initial_epoch=stage.first_epoch,
            epochs=stage.last_epoch,
            steps_per_epoch=len(batches) // stage.epochs,
            validation_data=evaluation_batches(path, "validation", training.batch_size),
            verbose=0,
            # The pipeline shuffles; Keras would only warn that it cannot.
            shuffle=False,
            callbacks=[
                BetaScheduler(lambda epoch: stage_at(stages, epoch).beta),
                GammaScheduler(lambda epoch: stage_at(stages, epoch).gamma),
                StopOnNonFinite(),
                progress,
                keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False),
            ],
        )
    seconds = time.perf_counter() - start
    metrics, pictures = _evaluate_stage(config, model)
    log_stage(folder / "tensorboard" / "stages", stage.last_epoch - 1, metrics, pictures)
    save_stage(folder, stage, model, metrics, history.history)
    _log_stage_line(stage, metrics, seconds, len(batches) * training.batch_size)


def _training_batches(config: Config, epochs: range) -> tf.data.Dataset:
    specification, training = dataset_specification(config), config.training
    augment = specification.hamiltonian if training.augmentation else None
    if config.dataset.source == "stream":
        samples = config.dataset.train
        return streaming_batches(specification, training.batch_size, epochs, samples, training.seed, augment)
    return training_batches(config.dataset.path, training.batch_size, epochs, training.seed, augment)


def _evaluate_stage(config: Config, model: EVAE) -> tuple[dict[str, dict[str, float]], dict[str, np.ndarray]]:
    """Losses in inference mode on both splits, statistics of generated states, and pictures."""
    path, batch_size = config.dataset.path, config.training.batch_size
    metrics = {
        split: model.evaluate(evaluation_batches(path, split, batch_size), verbose=0, return_dict=True)
        for split in ("train", "validation")
    }
    states = model.generate(GENERATED, GENERATION_SEED)
    metrics["generated"] = _generated_statistics(states, model.hamiltonian)
    _check_finite(metrics)
    spins = read_split(path, "validation", PICTURES)
    outputs = model(spins, training=False).numpy()
    return metrics, {"X_in": spins, "X_out": outputs, "X_out_generated": states[:PICTURES]}


def _check_finite(metrics: dict[str, dict[str, float]]) -> None:
    """A stage that ends in NaN or infinity must not count as finished: nothing could go on from it."""
    found = [
        f"{group} {name} = {value}"
        for group, values in metrics.items()
        for name, value in values.items()
        if not math.isfinite(value)
    ]
    if found:
        raise NumericalError(f"{', '.join(found)} at the end of the stage; the stages before it are kept")


def _generated_statistics(states: np.ndarray, hamiltonian: Hamiltonian) -> dict[str, float]:
    energies = hamiltonian.energy_per_site(states.astype(np.float64))
    return {
        "energy_per_site_mean": float(energies.mean()),
        "energy_per_site_std": float(energies.std()),
        "energy_per_site_lowest": float(energies.min()),
        "fft_mse": fft_mse(states),
        "magnetization_z": float(_on_sites(states[..., 2], hamiltonian).mean()),
        "topological_charge_mean": float(topological_charge(states, hamiltonian.periodic).mean()),
    }


def _on_sites(values: np.ndarray, hamiltonian: Hamiltonian) -> np.ndarray:
    """Values `(n, y, x)` where there are spins."""
    return values if hamiltonian.mask is None else values[:, hamiltonian.mask]


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
