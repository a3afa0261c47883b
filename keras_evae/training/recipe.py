"""A training run from beginning to end (`train`): annealed data, then the VAE's stages, then the E-VAE's stages."""

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from keras_evae.config import Config, load_config
from keras_evae.config_sections import VAEConfig
from keras_evae.dataset import check_specification, ensure_dataset, read_energies
from keras_evae.errors import ConfigError, DataError
from keras_evae.files import hold_lock
from keras_evae.model.devices import grow_memory
from keras_evae.runs.environment import check_training_version
from keras_evae.runs.from_config import check_resources, dataset_specification, make_model, planned_stages
from keras_evae.runs.run import Run, load_run
from keras_evae.runs.run_folder import (
    CONFIG,
    LOCK,
    check_same_config,
    decided_by,
    open_run_folder,
    refuse_foreign_folder,
    with_meant_dataset,
)
from keras_evae.runs.stage_folder import finished_stages, refuse_orphans
from keras_evae.runs.stage_plan import plan_stages
from keras_evae.runs.taken_stages import describe_taken_stages, shared_stages, take_stages
from keras_evae.training.forecast import describe_posterior_collapse, describe_run
from keras_evae.training.replicas import (
    Replicas,
    choose_strategy,
    describe_strategy,
    is_chief,
    meet_workers,
    record_strategy,
    report_lost_workers,
)
from keras_evae.training.trainer import Trainer, compile_model

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
    if strategy and config.training.jit_compile is True:
        raise ConfigError(
            "training.jit_compile: expected auto or false with --strategy (XLA cannot compile it), found true"
        )
    grow_memory()
    devices = choose_strategy(strategy, config.training.batch_size)
    with report_lost_workers():
        if is_chief(devices):
            _lead(config, output, devices, stages_from)
        else:
            _follow(config, Path(output), devices)
    return load_run(output, terms=dataset_specification(config).hamiltonian.terms)


def _lead(config: Config, output: str | Path, devices: tf.distribute.Strategy, stages_from: str | Path | None) -> None:
    """The whole run, but for the training steps of other workers."""
    specification, folder = dataset_specification(config), Path(output).absolute()
    needs = check_resources(config, folder)
    shared = shared_stages(stages_from, with_meant_dataset(folder, config)) if stages_from else ()
    # Before the lock, which is a file in the folder.
    refuse_foreign_folder(folder)
    with hold_lock(folder / LOCK):
        open_run_folder(folder, config, {"strategy": record_strategy(devices)})
        config = with_meant_dataset(folder, config)
        if stages_from:
            take_stages(folder, stages_from, shared)
        stages = planned_stages(config)
        finished = finished_stages(folder, stages, decided_by(config))
        missing = stages[len(finished) :]
        refuse_orphans(folder, missing)
        trainer = make_trainer(config, folder, devices)
        checkpoint = trainer.find_checkpoint(stages, len(finished))
        samples, path = trainer.samples_to_go(missing, checkpoint), config.dataset.path
        batch_size = config.training.batch_size
        plan = describe_run(config.dataset, specification, trainer.model, batch_size, stages, len(finished), samples)
        for line in itertools.chain(plan, describe_taken_stages(folder), _describe_devices(config, devices)):
            logger.info(line)
        logger.info(f"{'Needs':12s} {needs}")
        logger.info(f"{'Run folder':12s} {output}")
        ensure_dataset(path, specification)
        energies = read_energies(path, "train")
        kind = "Annealed" if specification.files is None else "Own data"
        logger.info("%-12s mean E/N %.5f, lowest %.5f", kind, energies.mean(), energies.min())
        logger.info(describe_posterior_collapse(path, specification, stages))
        meet_workers(devices, len(finished))
        if missing:
            trainer.train(stages, finished, checkpoint)
    logger.info("Run finished: %s. Look at it with: evae-evaluate --run %s", output, output)


def _follow(config: Config, folder: Path, devices: tf.distribute.Strategy) -> None:
    """The training steps of a worker that is not the chief: it writes nothing, and speaks of problems only."""
    logger.setLevel(logging.WARNING)
    config = with_meant_dataset(folder, config)
    specification, stages = dataset_specification(config), planned_stages(config)
    # Variables get the chief's values: this waits until the chief has opened the run folder and builds its model.
    trainer = make_trainer(config, folder, devices)
    _expect_shared(folder / CONFIG)
    check_same_config(folder / CONFIG, config)
    check_training_version(folder)
    finished = finished_stages(folder, stages, decided_by(config))
    # The chief comes here when it has made the dataset.
    meet_workers(devices, len(finished))
    _expect_shared(config.dataset.path)
    check_specification(config.dataset.path, specification)
    if len(finished) < len(stages):
        trainer.train(stages, finished, None)


def make_trainer(config: Config, folder: Path, devices: tf.distribute.Strategy | None = None) -> Trainer:
    """The trainer of a configuration, with a new model, in a folder; on one device by default."""
    training, devices = config.training, devices or tf.distribute.get_strategy()
    specification = dataset_specification(config)
    # Half resolution is for one device in float32.
    replicas = Replicas(devices) if devices.num_replicas_in_sync > 1 else None
    phases = training.phases if replicas is None and training.precision == "float32" else False
    with devices.scope():
        model = make_model(config, specification.hamiltonian, phases, training.precision, replicas)
        compile_model(model, training)
    return Trainer(model, specification, config.dataset, training, folder, decided_by(config))


def make_probe_trainer(run: Run, folder: Path) -> Trainer:
    """The trainer of further stages of a run, in a folder beside it. None settles: the collapse is yet to be found."""
    config = with_meant_dataset(run.path, run.config)
    training = config.training.model_copy(update={"settle_from": None})
    return make_trainer(config.model_copy(update={"training": training}), folder)


def train_vae(config: Config, folder: Path, beta: float, seed: int) -> Run:
    """The run of a configuration's VAE up to beta, with a seed of its own; trained if it is not finished.

    If the ladder leaves beta out, the stage there has the epochs of the longest one.
    """
    ladder = {stage.beta: stage.epochs for stage in plan_stages(config.vae.betas, config.vae.epochs)}
    stages = {known: epochs for known, epochs in ladder.items() if known <= beta}
    stages.setdefault(beta, max(ladder.values()))
    vae = VAEConfig(betas=tuple(stages), epochs=tuple(stages.values()))
    training = config.training.model_copy(update={"seed": seed})
    if not (folder / CONFIG).is_file() or len(load_run(folder).stages) < len(stages):
        train(config.model_copy(update={"vae": vae, "evae": None, "training": training}), folder)
    check_training_version(folder)
    return load_run(folder, terms=dataset_specification(config).hamiltonian.terms)


def _expect_shared(file: Path) -> None:
    if not file.is_file():
        raise DataError(
            f"{file.absolute()}: expected the file that the chief has written, found none; all workers need the same "
            f"run folder and dataset, on a shared file system"
        )


def _describe_devices(config: Config, devices: tf.distribute.Strategy) -> Iterator[str]:
    training = config.training
    if devices.num_replicas_in_sync > 1 or training.precision != "float32":
        without = "; training.phases is for one device in float32, so without" if training.phases is True else ""
        words = describe_strategy(devices, training.batch_size)
        yield f"{'Devices':12s} {words}, in {training.precision}{without}"
