"""The one place where a configuration becomes objects: Hamiltonian, dataset, stages, model."""

from __future__ import annotations

import keras
import tensorflow as tf

from keras_evae.config import Config
from keras_evae.dataset import DatasetSpecification
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.model.evae import EVAE
from keras_evae.model.fused_adam import FusedAdam
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from keras_evae.runs.stage_plan import Stage, plan_stages


def samples_of_stage(config: Config, stage: Stage) -> int:
    """Configurations that a stage is trained on, repetitions included; only full batches count."""
    batch = config.training.batch_size
    return stage.epochs * (config.dataset.train // batch) * batch


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
    )


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
