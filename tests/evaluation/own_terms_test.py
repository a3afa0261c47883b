"""The example of docs/energies.md runs as it stands there; configurations, datasets and runs keep their terms."""

import dataclasses
import re

import numpy as np
import pytest

from keras_evae.config import Config, dump_config, load_config
from keras_evae.dataset import DatasetSpecification, check_specification, ensure_dataset, read_split
from keras_evae.errors import ConfigError, MismatchError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.skyrmion_lattices import preferred_spacing
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from keras_evae.runs.from_config import dataset_specification
from keras_evae.runs.run import load_run
from keras_evae.runs.run_folder import open_run_folder
from keras_evae.symmetry import point_group, translation_steps
from tests.helpers.commands import ROOT, run_python
from tests.helpers.energy_terms import Compass
from tests.helpers.states import uniform

EXAMPLE, SCRIPT = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "energies.md").read_text(), re.DOTALL)
CONFIG = """
dataset: {path: data/compass.h5, shape: [16, 16], train: 4, validation: 2, test: 2}
network: {latent_dim: 2}
training: {batch_size: 2, augmentation: true, phases: false}
vae: {betas: [1e-3], epochs: 1}
evae: {beta: 1e-3, gammas: [10], epochs: 1}
"""
SPECIFICATION = DatasetSpecification(
    Hamiltonian(), (6, 8), (2, 1, 1), seed=4, schedule=AnnealingSchedule(temperatures=5, max_greedy_sweeps=50)
)


def with_hamiltonian(**arguments):
    return dataclasses.replace(SPECIFICATION, hamiltonian=Hamiltonian(**arguments))


def test_example_of_the_page():
    page: dict = {"__name__": "page"}
    exec(compile(EXAMPLE, "docs/energies.md", "exec", dont_inherit=True), page)
    hamiltonian, spins = page["hamiltonian"], page["spins"].astype(np.float64)
    assert repr(hamiltonian.terms[0]) == "Compass(strength=0.2)"
    assert np.linalg.norm(np.cross(spins, hamiltonian.effective_field(spins)), axis=-1).max() < 1e-4
    # In the plane, along x, the compass term gains its strength for each site; up it does nothing.
    assert hamiltonian.energy_per_site(uniform((6, 8), (1.0, 0.0, 0.0))) == pytest.approx(-2.2)
    assert hamiltonian.energy_per_site(uniform((6, 8))) == pytest.approx(-2.05)
    assert len(point_group(hamiltonian, (8, 8))) == 8 and translation_steps(hamiltonian, (8, 8)) == (1, 1)


def test_datasets_keep_their_terms(tmp_path):
    path, own = tmp_path / "own.h5", with_hamiltonian(J2=0.2, terms=[Compass(0.2)])
    ensure_dataset(path, own, workers=1)
    ensure_dataset(path, own)
    assert read_split(path, "train").shape == (2, 6, 8, 3)
    for other, message in (
        (with_hamiltonian(J2=0.2, terms=[Compass(0.3)]), r"hamiltonian.terms: expected \['Compass\(strength=0.3\)'\]"),
        (with_hamiltonian(J2=0.2), r"hamiltonian.terms: expected \[\] as configured, found \['Compass"),
        (with_hamiltonian(J2=0.1, terms=[Compass(0.2)]), "hamiltonian.J2: expected 0.1 as configured, found 0.2"),
    ):
        with pytest.raises(MismatchError, match=message):
            check_specification(path, other)


def test_configurations_hold_the_text_of_a_term(tmp_path):
    config = Config().with_terms(Compass(0.2))
    assert dataset_specification(config).hamiltonian.terms == (Compass(0.2),)
    file = tmp_path / "config.yaml"
    file.write_text(dump_config(config))
    read = load_config(file)
    assert read.hamiltonian.terms == ("Compass(strength=0.2)",)
    assert read.with_terms(Compass(0.2)) == config
    # No text is ever executed, or looked up.
    with pytest.raises(ConfigError, match="a text is not executed"):
        dataset_specification(read)
    with pytest.raises(MismatchError, match=r"hamiltonian.terms: expected \['Compass\(strength=0.2\)'\] as configured"):
        read.with_terms(Compass(0.3))
    with pytest.raises(ConfigError, match="expected objects"):
        Config().with_terms("Compass(strength=0.2)")
    assert load_config(file, ["hamiltonian.J2=0.5", "hamiltonian.terms=[]"]).hamiltonian.J2 == 0.5


def test_runs_are_opened_with_their_terms(tmp_path):
    config = Config().with_terms(Compass(0.2))
    folder = open_run_folder(tmp_path / "run", config)
    assert open_run_folder(folder, config) == folder
    with pytest.raises(MismatchError, match=r"hamiltonian.terms: expected \[\] as configured now"):
        open_run_folder(folder, Config())
    assert load_run(folder, terms=[Compass(0.2)]).hamiltonian.terms == (Compass(0.2),)
    with pytest.raises(ConfigError, match=r"load_run\('.*run', terms=\[Compass\(strength=0.2\)\]\)"):
        _ = load_run(folder).hamiltonian
    with pytest.raises(MismatchError, match="config.yaml: hamiltonian.terms: expected"):
        load_run(folder, terms=[Compass(0.3)])
    plain = open_run_folder(tmp_path / "plain", Config())
    with pytest.raises(MismatchError, match="expected none"):
        load_run(plain, terms=[Compass(0.2)])


@pytest.mark.slow
def test_training_script_of_the_page(tmp_path):
    """On a small configuration."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "smoke.yaml").write_text(CONFIG)
    # The imports and the class.
    (tmp_path / "script.py").write_text(EXAMPLE.partition("\n\nhamiltonian =")[0] + "\n\n" + SCRIPT)
    result = run_python(tmp_path, "script.py")
    assert result.returncode == 0, result.stderr
    assert "Compass(strength=0.2)" in result.stdout.splitlines()[0]
    run = load_run(tmp_path / "runs" / "compass", terms=[Compass(0.2)])
    assert len(run.stages) == 2
    states = run.model.generate(2, seed=0)
    assert np.isfinite(run.hamiltonian.energy(states)).all()


def test_preferred_spacing_with_second_neighbours():
    stiffer = preferred_spacing(Hamiltonian(J2=0.25))
    assert stiffer == pytest.approx(4 * np.pi / np.sqrt(3) / np.arctan(0.3 / 1.5))
    with pytest.raises(ValueError, match="J2"):
        preferred_spacing(Hamiltonian(J2=-0.6))
