"""What a configuration file may say, and what is answered when it says something else."""

import ast
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from keras_evae.config import Config, dump_config, load_config
from keras_evae.config_sections import HamiltonianConfig
from keras_evae.errors import ConfigError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from keras_evae.runs.from_config import dataset_specification, planned_stages

ROOT = Path(__file__).parents[1]
# They are handed on whole, or become the first of these in config.py.
PHYSICS = ("hamiltonian", "geometry")
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.fixture
def load(tmp_path):
    def load_text(text, *overrides):
        file = tmp_path / "run.yaml"
        file.write_text(text)
        return load_config(file, overrides)

    return load_text


def test_defaults_are_the_paper(load):
    config = load("")
    assert config == Config()
    assert config.dataset.shape == (128, 128)
    assert (config.dataset.train, config.dataset.validation, config.dataset.test) == (30_000, 5_000, 4_300)
    assert config.vae.betas == (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    assert (config.vae.epochs, config.training.batch_size, config.training.learning_rate) == (100, 100, 1e-3)


def test_a_schedule_by_its_name_becomes_its_numbers(load):
    quench = AnnealingSchedule.preset("quench")
    for config in (load("dataset: {schedule: quench}"), load("", "dataset.schedule=quench")):
        assert config.dataset.schedule.model_dump() == dataclasses.asdict(quench)
        assert "start_temperature: 2.0" in dump_config(config) and "quench" not in dump_config(config)
    changed = load("dataset: {schedule: quench}", "dataset.schedule.sweeps=7").dataset.schedule
    assert changed.model_dump() == dataclasses.asdict(dataclasses.replace(quench, sweeps=7))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations_are_valid_and_survive_a_round_trip(path, load):
    config = load_config(path)
    assert load(dump_config(config)) == config
    assert planned_stages(config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense: 1", "nonsense: unknown key, expected one of: hamiltonian, geometry, dataset"),
        ("dataset: {shape: [100, 128]}", "dataset.shape.0: expected a multiple of 16, such as 96 or 112, found 100"),
        ("dataset: {schedule: {start_temperature: 0.01}}", "dataset.schedule.end_temperature: expected at most"),
        ("dataset: {schedule: fast}", "schedule: expected one of default, quench, slow, or a section with keys, found"),
        ("vae: {betas: [0, 1e-3]}", "vae.betas.0: expected greater than or equal to 0.000000000000001, found 0"),
        ("dataset: {train: 10}", "training.batch_size: expected at most dataset.train = 10, found 100"),
        ("hamiltonian: {B: .nan}", "hamiltonian.B: expected a finite number, found nan"),
        ("hamiltonian: {boundary: wrap}", "hamiltonian.boundary: expected 'periodic' or 'open', or a pair of "),
        ("training: {phases: fast}", "training.phases: expected 'auto', True or False, found 'fast'"),
        ("evae: {beta: 3}", "evae.beta: expected one of vae.betas"),
        ("vae: {betas: [1, 0.1]}", "vae.betas: expected increasing values"),
        ("vae: {epochs: [1, 2]}", "vae.epochs: expected one number, or 7 of them, one for each stage, found [1, 2]"),
        ("dataset: {train: '30'}", "dataset.train: expected a valid integer, found '30'"),
        ("dataset: {fit: crop}", "source: expected own, where files or fit are given, found 'file'"),
        ("training: {bathc_size: 3}", "training.bathc_size: unknown key, did you mean 'batch_size'?"),
        ("training: {adam_beta_2: 1}", "training.adam_beta_2: expected less than 1, found 1"),
        ("network: {largest_log_variance: 81}", "largest_log_variance: expected less than or equal to 80, found 81"),
        ("geometry: {shape: disk, size: 9}", "geometry.shape: expected 'square', 'rectangle', "),
        (
            "geometry: {shape: disc, size: 9}\nhamiltonian: {mask: 16x16 0 256}",
            "hamiltonian.mask: expected the mask of",
        ),
        ("hamiltonian: {mask: 16x16 0 256}", "hamiltonian.mask: expected a mask of dataset.shape = [128, 128], found"),
        ("- 3", "expected sections with keys"),
        ("dataset: {shape: [65536, 16]}", "dataset.shape.0: expected less than or equal to 4096, found 65536"),
        ("hamiltonian: {mask: 100000x100000 0 10000000000}", "hamiltonian.mask: expected a mask as text"),
        ("dataset: {schedule: {sweeps: 9000000}}", "schedule.sweeps: expected a number with which there are at most"),
        ("dataset: {schedule: {end_temperature: 1e-50}}", "schedule.end_temperature: expected between 1e-12 and"),
        ("vae: {betas: [1, 1.0000000001]}", "vae.betas: expected values that differ in their first six digits"),
        ('dataset: {path: "a\\0b.h5"}', "dataset.path: expected a path of characters that a file name can have"),
        (
            "dataset: {path: $NOWHERE_SET/x.h5}",
            "dataset.path: expected a path whose variables are set ($NOWHERE_SET is",
        ),
        ("a" * 900 + ": 1", ": unknown key, expected one of"),
    ],
)
def test_bad_files_are_answered_in_one_line(load, text, message):
    with pytest.raises(ConfigError) as error:
        load(text)
    assert message in str(error.value) and ("more" in str(error.value)) == ("more" in message)
    assert "run.yaml" in str(error.value) and "\n" not in str(error.value)


def test_configurations_have_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in CONFIGS:
        assert load_config(path.stem) == load_config(path)
    # A folder of that name is none, a file is.
    (tmp_path / "smoke").mkdir()
    assert load_config("smoke") == load_config(ROOT / "configs" / "smoke.yaml")
    (tmp_path / "vae").write_text("training: {seed: 7}")
    assert load_config("vae").training.seed == 7
    names = ", ".join(path.stem for path in CONFIGS)
    for name in ("absent.yaml", "quickstrat"):
        with pytest.raises(ConfigError, match=f"{name}: expected a YAML configuration file, or one of {names}; found"):
            load_config(tmp_path / name)


def test_every_key_is_read_somewhere():
    """As an attribute of its section, under the section's own name; those of the physics are tested below."""
    read = set()
    for path in (ROOT / "keras_evae").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text() if path.stem != "config" else "")):
            if isinstance(node, ast.Attribute):
                section = getattr(node.value, "id", getattr(node.value, "attr", ""))
                read.add(f"{section.removeprefix('_')}.{node.attr}")
    sections = {name: type(section) for name, section in Config(evae={"beta": 1e-3}) if name not in PHYSICS}
    keys = {f"{name}.{key}" for name, section in sections.items() for key in getattr(section, "model_fields", ())}
    assert len(keys) > 20 and keys - read == set()


@pytest.mark.parametrize(
    "override",
    [
        *("J=2.0", "D=0.2", "B=0.2", "K=0.2", "J2=0.2", "dmi=bloch", "boundary=open", "mask=128x128 0 9 16375"),
        *("start_temperature=3.0", "end_temperature=0.2", "temperatures=9", "sweeps=9", "over_relaxation=9"),
        *("torque_tolerance=0.5", "max_greedy_sweeps=9"),
    ],
)
def test_the_physics_reaches_the_dataset(load, override):
    """Each key of the energy and of the schedule: what is configured is what is annealed, and nothing else changes."""
    key, default = override.partition("=")[0], dataset_specification(Config())
    part = "hamiltonian" if key in HamiltonianConfig.model_fields else "schedule"
    section = "hamiltonian" if part == "hamiltonian" else "dataset.schedule"
    found = dataset_specification(load("", f"{section}.{override}"))
    assert dataclasses.replace(found, **{part: getattr(default, part)}) == default
    changed, before = getattr(found, part), getattr(default, part)
    assert changed != before and dataclasses.replace(changed, **{key: getattr(before, key)}) == before


@pytest.mark.parametrize(
    ("text", "shape", "boundary", "sites"),
    [
        ("geometry: {shape: disc, size: 40}", (48, 48), ("open", "open"), 1264),
        ("geometry: {shape: disc, size: 40}\ndataset: {shape: [64, 48]}", (64, 48), ("open", "open"), 1264),
        ("geometry: {shape: square, size: 48}", (48, 48), ("open", "open"), None),
        ("geometry: {shape: wire, size: [20, 64]}", (32, 64), ("open", "periodic"), 20 * 64),
        (
            "geometry: {shape: wire, size: [64, 20]}\nhamiltonian: {boundary: [periodic, open]}",
            (64, 32), ("periodic", "open"), 20 * 64,
        ),
    ],
)  # fmt: skip
def test_geometry_sets_mask_boundary_and_lattice(load, text, shape, boundary, sites):
    config = load(text)
    hamiltonian = Hamiltonian(**config.hamiltonian.model_dump())
    assert config.dataset.shape == shape and config.hamiltonian.boundary == boundary
    assert (None if hamiltonian.mask is None else hamiltonian.mask.sum()) == sites
    # A run folder keeps what was made of it.
    again = load(dump_config(config))
    assert again == config and again.geometry == config.geometry


def test_run_folder_keeps_the_mask_of_a_file(load, tmp_path):
    mask = np.tri(20, dtype=bool)
    np.save(tmp_path / "mask.npy", mask)
    config = load(f"geometry: {{file: {tmp_path / 'mask.npy'}}}")
    text = dump_config(config)
    (tmp_path / "mask.npy").unlink()
    kept = load(text)
    assert kept == config and Hamiltonian(**kept.hamiltonian.model_dump()).mask.sum() == mask.sum()
    # Another size on top of a finished configuration does not pass for the mask that is there.
    with pytest.raises(ConfigError, match="hamiltonian.mask: expected the mask of the section geometry"):
        load(dump_config(load("geometry: {shape: disc, size: 40}")), "geometry.size=44")


def test_words_and_variables_of_a_path(load, monkeypatch):
    for word in ("nullspace.h5", "true_data.h5", "falsework.h5", "~x.h5"):
        assert str(load(f"dataset: {{path: {word}}}").dataset.path) == word
    assert load("dataset: {path: ~/spins.h5}").dataset.path == Path.home() / "spins.h5"
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    assert load("dataset: {path: $SCRATCH/spins.h5}").dataset.path == Path("/scratch/me/spins.h5")
    assert load("dataset: {path: '${SCRATCH}/spins.h5'}").dataset.path == Path("/scratch/me/spins.h5")
