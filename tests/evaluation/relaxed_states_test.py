import json

import h5py
import numpy as np
import pytest

from keras_evae.analysis import describe_state
from keras_evae.dataset.formats.spin_files import read_states
from keras_evae.evaluation.relaxed_states import _changes, make_relax
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.certificate import certify
from keras_evae.minima.relaxation import TORQUE
from keras_evae.runs.run import load_run
from tests.helpers.states import uniform


@pytest.fixture(scope="module")
def relaxed(smoke_folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("relax")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(smoke_folder)
        run = load_run("runs/smoke")
        return run, output, make_relax([run], output, count=12, anneals=4)


def test_file_holds_each_stage_with_certificates(relaxed):
    run, output, _ = relaxed
    with h5py.File(output / "states.h5") as file:
        best = json.loads(bytes(file.attrs["best_known"]))["candidates"][0]["energy_per_site"]
        assert set(file) == {stage.name for stage in run.stages}
        for stage in run.stages:
            assert (file[stage.name].attrs["beta"], file[stage.name].attrs["gamma"]) == (stage.beta, stage.gamma)
            for group in file[stage.name].values():
                spins = group["spins"][:]
                assert spins.shape == (12, 32, 32, 3) and spins.dtype == np.float32 and group["spins"].fletcher32
                expected = certify(spins, run.hamiltonian, best)
                for name in expected.dtype.names:
                    np.testing.assert_allclose(group[name][:], expected[name], atol=1e-12)
            assert file[stage.name]["relaxed/torque"][:].max() < 1.05 * TORQUE
            assert file[stage.name]["relaxed/gap"][:].min() >= 0.0
            lowered = file[stage.name]["generated/gap"][:] - file[stage.name]["relaxed/gap"][:]
            assert lowered.min() > 0.0
        assert Hamiltonian(**json.loads(bytes(file.attrs["hamiltonian"]))) == run.hamiltonian
        assert set(json.loads(bytes(file.attrs["versions"]))) == {"keras_evae", "kernel"}
        assert file.attrs["format_version"] == 1
    assert not list(output.glob("*.partial"))
    # It can be analysed as a file of spins.
    spins, count = read_states(f"{output / 'states.h5'}:{run.stages[-1].name}/relaxed/spins", 5)
    assert spins.shape == (5, 32, 32, 3) and count == 12


def test_tables_have_what_is_in_the_file(relaxed):
    run, output, section = relaxed
    energies, certificates, best = section.tables
    assert {table.run for table in section.tables} == {"smoke"}
    with h5py.File(output / "states.h5") as file:
        for stage, row in zip(run.stages, certificates.rows, strict=True):
            generated, lowered = (file[f"{stage.name}/{kind}/spins"][:] for kind in ("generated", "relaxed"))
            states = [describe_state(spins, run.hamiltonian) for spins in lowered]
            expected = [np.mean(np.sum((generated - lowered) ** 2, axis=-1))]
            for orders in ([state.psi6 for state in states], [state.psi4 for state in states]):
                expected.append(np.concatenate(orders).mean() if np.concatenate(orders).size else None)
            assert row[-3:] == pytest.approx(expected, rel=1e-5)
        for stage, *rows in zip(run.stages, energies.records, certificates.records, strict=True):
            found, (energy, certificate) = file[stage.name], rows
            assert certificate["torque_generated"] == found["generated/torque"][:].max()
            assert energy["share_at_best_known"] == np.mean(found["relaxed/gap"][:] <= 1e-7)
    assert len(energies.rows) == len(run.stages)
    for values in energies.records:
        assert values["energy_relaxed"] < values["energy_generated"]
        assert values["energy_relaxed"] - values["gap_relaxed"] == pytest.approx(best.rows[0][1], abs=1e-9)
        assert 0.0 <= values["lowest_gap"] <= values["gap_relaxed"]
    (numbers,) = section.numbers.values()
    assert numbers == {
        "last_stage_finished": True,
        "best_known_energy_per_site": best.rows[0][1],
        "states_of_each_stage": 12,
    }


def test_change_of_a_sample_is_a_mean_over_its_spins():
    mask = np.hypot(*np.ogrid[-15.5:16, -19.5:20]) < 14
    up = (uniform((32, 40)) * mask[..., None])[None]
    changes = _changes(up, -up, Hamiltonian(mask=mask))
    assert changes == {"change": pytest.approx(4.0), "psi6_relaxed": None, "psi4_relaxed": None}
