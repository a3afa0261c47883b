"""The one place where a configuration becomes objects: Hamiltonian, dataset, stages, model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from keras_evae.config import Config
from keras_evae.dataset import DatasetSpecification, check_specification
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from keras_evae.runs.resources import check_training
from keras_evae.runs.run_folder import with_meant_dataset
from keras_evae.runs.stage_plan import Stage, plan_stages

if TYPE_CHECKING:
    from keras_evae.model.evae import EVAE


def planned_stages(config: Config) -> tuple[Stage, ...]:
    """All stages of a configuration, in the order of training."""
    vae, evae = config.vae, config.evae
    if evae is None:
        return plan_stages(vae.betas, vae.epochs)
    return plan_stages(vae.betas, vae.epochs, evae.beta, evae.gammas, evae.epochs)


def dataset_specification(config: Config) -> DatasetSpecification:
    """The dataset that a configuration asks for."""
    dataset = config.dataset
    train = dataset.validation if dataset.source == "stream" else dataset.train
    return DatasetSpecification(
        hamiltonian=Hamiltonian(**dict(config.hamiltonian)),
        shape=dataset.shape,
        sizes=(train, dataset.validation, dataset.test),
        seed=dataset.seed,
        schedule=AnnealingSchedule(**dataset.schedule.model_dump()),
        storage=dataset.storage,
        files=dataset.files if dataset.source == "own" else None,
        fit=dataset.fit,
    )


def check_resources(config: Config, folder: str | Path) -> str:
    """Memory and disk that a run in a folder needs, in words; refused if it cannot fit, see `check_training`.

    Refused as well if its dataset is there and of another specification.
    """
    config = with_meant_dataset(folder, config)
    if config.dataset.path.exists():
        check_specification(config.dataset.path, dataset_specification(config))
    stages, specification = len(planned_stages(config)), dataset_specification(config)
    return check_training(specification, config.dataset, config.network, config.training, stages, Path(folder))


def make_model(
    config: Config,
    hamiltonian: Hamiltonian,
    phases: bool | Literal["auto"] = "auto",
    precision: str = "float32",
    replicas: Any = None,
) -> EVAE:
    """A model with new weights: the configuration builds it, files give arrays only.

    Its form is by default the one that is fast on the devices of this process, whichever the run was trained in.
    """
    # Imported here: everything else about a run can be read without waiting for TensorFlow.
    from keras_evae.model.evae import EVAE

    return EVAE(
        config.dataset.shape,
        config.network.latent_dim,
        hamiltonian,
        seed=config.training.seed,
        phases=phases,
        precision=precision,
        largest_log_variance=config.network.largest_log_variance,
        dense_units=config.network.dense_units,
        generated_from=config.training.settle_from,
        replicas=replicas,
    )
