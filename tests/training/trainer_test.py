"""What the recipe of train.py refuses."""

import keras
import numpy as np
import pytest

from keras_evae.config import Config, load_config
from keras_evae.config_sections import TrainingConfig
from keras_evae.dataset import ensure_dataset, read_split
from keras_evae.errors import DataError
from keras_evae.model.evae import EVAE
from keras_evae.runs.checkpoints import CHECKPOINT, Checkpoint, read_values, write_checkpoint
from keras_evae.runs.from_config import dataset_specification
from keras_evae.runs.run import load_run
from keras_evae.runs.stage_plan import Stage, plan_stages
from keras_evae.training.recipe import make_probe_trainer, train
from keras_evae.training.trainer import Trainer, compile_model, reset_optimizer
from tests.helpers.training_cases import CONFIG


def configured(folder, *overrides):
    (folder / "run.yaml").write_text(CONFIG)
    return load_config(folder / "run.yaml", [f"dataset.path={folder}/spins.h5", *overrides])


def test_reset_optimizer_forgets_the_moments_but_not_the_learning_rate():
    optimizer = keras.optimizers.Adam(0.01)
    variable = keras.Variable([1.0, 2.0])
    optimizer.apply_gradients([(np.array([1.0, -1.0], np.float32), variable)])
    reset_optimizer(optimizer)
    assert float(optimizer.learning_rate) == pytest.approx(0.01) and int(optimizer.iterations) == 0
    before = variable.numpy()
    optimizer.apply_gradients([(np.array([5.0, -5.0], np.float32), variable)])
    # The first step of a fresh Adam is the learning rate, whatever the size of the gradient.
    np.testing.assert_allclose(before - variable.numpy(), [0.01, -0.01], rtol=1e-4)


STAGES = plan_stages([1e-4, 1e-3, 1e-2], 10)


@pytest.fixture(scope="module")
def model():
    model = EVAE((16, 16), latent_dim=4)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    model.optimizer.build(model.trainable_variables)
    return model


def trainer_of(folder, model):
    """Of the paper's training: 300 steps of 100 an epoch."""
    config = Config()
    return Trainer(model, dataset_specification(config), config.dataset, config.training, folder)


def checkpoint_of(folder, model, stage):
    write_checkpoint(folder / CHECKPOINT, Checkpoint(stage.name, stage.first_epoch + 4, {}, read_values(model)))


def test_checkpoint_of_the_first_missing_stage_alone_is_taken(tmp_path, model):
    checkpoint_of(tmp_path, model, STAGES[2])
    with pytest.raises(DataError, match="expected the stage 01_beta_0.001_gamma_0, found 02_beta.*; delete it"):
        trainer_of(tmp_path, model).find_checkpoint(STAGES, finished=1)
    checkpoint_of(tmp_path, model, STAGES[1])
    found = trainer_of(tmp_path, model).find_checkpoint(STAGES, finished=1)
    assert (found.stage, found.epoch) == (STAGES[1].name, 14)
    # Six epochs here, and ten in the last stage.
    assert trainer_of(tmp_path, model).samples_to_go(STAGES[1:], found) == 16 * 300 * 100
    assert trainer_of(tmp_path, model).samples_to_go(STAGES[1:], None) == 20 * 300 * 100
    # A kill may strike between the stage's appearance and the removal of its checkpoint.
    for finished in (2, 3):
        checkpoint_of(tmp_path, model, STAGES[1])
        assert trainer_of(tmp_path, model).find_checkpoint(STAGES, finished) is None
        assert not (tmp_path / CHECKPOINT).exists()


def test_nothing_is_traced_again_after_the_first_step(tmp_path, monkeypatch):
    """Stages differ in weights, epochs and learning rate; the training step and the evaluation are compiled once."""
    loss_terms, traces = EVAE._loss_terms, []

    def counting(self, spins, training, share=None):
        # Python runs this only while TensorFlow traces it.
        traces.append("training" if training else "evaluation")
        return loss_terms(self, spins, training, share)

    monkeypatch.setattr(EVAE, "_loss_terms", counting)
    train(configured(tmp_path, "vae.betas=[1e-3]", "vae.epochs=1"), tmp_path / "run")
    assert sorted(traces) == ["evaluation", "training"]
    stages = sorted((tmp_path / "run" / "stages").iterdir())
    rates = [np.genfromtxt(stage / "history.csv", delimiter=",", names=True)["learning_rate"] for stage in stages]
    # The second stage settles.
    np.testing.assert_allclose(np.hstack(rates), [1e-3, 1e-3, 1e-4], rtol=1e-6)
    run, probe = load_run(tmp_path / "run"), Stage(2, 1e-3, 20.0, 3, 1)
    (tmp_path / "probes").mkdir()
    trainer = make_probe_trainer(run, tmp_path / "probes")
    trainer.train((run.stages[-1].stage, probe), run.stages[-1:], None)
    assert float(trainer.model.optimizer.learning_rate) == pytest.approx(1e-3)


@pytest.mark.parametrize("augmentation", [False, True])
def test_states_are_moved_if_asked_for(tmp_path, model, augmentation):
    config = configured(tmp_path, f"training.augmentation={str(augmentation).lower()}")
    specification = dataset_specification(config)
    ensure_dataset(config.dataset.path, specification)
    trainer = Trainer(model, specification, config.dataset, config.training, tmp_path)
    seen = {state.tobytes() for batch in trainer._training_batches(range(1)) for state in batch.numpy()}
    stored = {state.tobytes() for state in read_split(config.dataset.path, "train")}
    assert len(seen) == len(stored) and (seen == stored) != augmentation


def test_options_reach_the_optimizer(model):
    compile_model(model, TrainingConfig(learning_rate=2e-3, adam_beta_2=0.9, gradient_clip_norm=5.0))
    found = model.optimizer.get_config()
    assert [found[name] for name in ("beta_2", "global_clipnorm")] == [0.9, 5.0]
    assert float(model.optimizer.learning_rate) == pytest.approx(2e-3)
