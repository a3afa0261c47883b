import numpy as np
import pytest

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima import certificate
from keras_evae.minima.certificate import Candidate, best_known, certify
from keras_evae.minima.relaxation import relax_states
from keras_evae.minima.skyrmion_lattices import triangular_skyrmions
from tests.helpers.states import random_spins, uniform

# Few anneals, and of triangular lattices the numbers of skyrmions that are tried by default.
FEW, SHARES = 2, (0.3, 1.3)


@pytest.fixture
def no_search(monkeypatch):
    def fail(*arguments):
        raise AssertionError("searched again")

    monkeypatch.setattr(certificate, "_slow", fail)
    monkeypatch.setattr(certificate, "_triangular", fail)


def test_certificates_of_known_states_and_of_none():
    h = Hamiltonian()
    positions, lattice = triangular_skyrmions(h, (64, 96))
    up, skyrmions, noise = certify(np.stack((uniform((64, 96)), lattice, random_spins(64, 96))), h, -2.0573)
    assert (up["torque"], up["charge"], up["skyrmions"]) == (0.0, 0.0, 0)
    assert up["energy_per_site"] == pytest.approx(-2.05) and up["gap"] == pytest.approx(0.0073)
    assert skyrmions["skyrmions"] == len(positions) == -round(skyrmions["charge"])
    assert 0 < skyrmions["gap"] < up["gap"] and 0 < skyrmions["torque"] < 1
    assert noise["torque"] > 1 and noise["gap"] > 1.9
    certificates = certify(np.zeros((0, 8, 8, 3)), Hamiltonian(), -2.0)
    assert certificates.shape == (0,) and "gap" in certificates.dtype.names
    h = Hamiltonian(dmi="bloch")
    states = random_spins(3, 16, 24)
    before, after = certify(states, h, 0.0), certify(relax_states(states, h), h, 0.0)
    assert np.all(after["torque"] < 1.05 * certificate.TORQUE)
    assert np.all(after["energy_per_site"] < before["energy_per_site"] - 1)


@pytest.mark.parametrize("shape, energy, count", [((64, 64), -2.0573164, 8), ((128, 128), -2.0574844, 30)])
def test_triangular_lattices_reach_the_known_ground_states(shape, energy, count):
    candidate = certificate._triangular(Hamiltonian(), shape, SHARES)
    assert candidate.energy_per_site == pytest.approx(energy, abs=1e-7)
    assert f": {count} skyrmions" in candidate.detail


def test_fields_and_edges(tmp_path):
    weak, strong = (certificate._triangular(Hamiltonian(B=B), (64, 96), SHARES) for B in (0.05, 0.07))
    assert ": 11 skyrmions" in weak.detail and ": 6 skyrmions" in strong.detail
    h, shape = Hamiltonian(boundary="open"), (64, 64)
    assert certificate._triangular(h, shape, SHARES).energy_per_site < certify(uniform(shape)[None], h, 0.0)["gap"][0]
    assert certificate._triangular(Hamiltonian(B=-0.05), shape, SHARES).energy_per_site == pytest.approx(
        -2.0573164, abs=1e-7
    )
    best = best_known(Hamiltonian(D=0.0), (16, 32), tmp_path, anneals=FEW)
    assert [candidate.search for candidate in best] == ["slow anneals"]
    assert best[0].energy_per_site == pytest.approx(-2.05, abs=1e-7)


def test_best_known_is_the_lowest_of_all_and_searched_once(tmp_path):
    other = Candidate("elsewhere", -2.0, "")
    best = best_known(Hamiltonian(), (64, 32), tmp_path, [other], anneals=FEW)
    energies = [candidate.energy_per_site for candidate in best]
    assert energies == sorted(energies) and best[0].energy_per_site == energies[0] < -2.05
    assert {candidate.search for candidate in best} == {
        "slow anneals", "triangular skyrmion lattices", "elsewhere"
    }  # fmt: skip
    lower = Candidate("elsewhere", -3.0, "")
    assert best_known(Hamiltonian(), (64, 32), tmp_path, [lower], anneals=FEW)[0] == lower


def test_second_call_searches_nothing(tmp_path, request):
    first = best_known(Hamiltonian(), (32, 48), tmp_path, anneals=FEW)
    request.getfixturevalue("no_search")
    assert best_known(Hamiltonian(), (32, 48), tmp_path, anneals=FEW) == first


@pytest.mark.parametrize("hamiltonian, shape", [(Hamiltonian(B=0.04), (32, 48)), (Hamiltonian(), (48, 32))])
def test_another_hamiltonian_or_lattice_is_searched(tmp_path, request, hamiltonian, shape):
    best_known(Hamiltonian(), (32, 48), tmp_path, anneals=FEW)
    request.getfixturevalue("no_search")
    with pytest.raises(AssertionError, match="searched again"):
        best_known(hamiltonian, shape, tmp_path, anneals=FEW)


def damaged(content):
    """With a better energy."""
    assert b"-2.0" in content
    return content.replace(b"-2.0", b"-9.0")


@pytest.mark.parametrize("content", [None, b"", b'{"a": ', b"[1, 2]", b"\xff\xfe"])
def test_damaged_memory_is_searched_again(tmp_path, content):
    first = best_known(Hamiltonian(), (16, 16), tmp_path, anneals=FEW)
    kept = (tmp_path / certificate.CACHE).read_bytes()
    (tmp_path / certificate.CACHE).write_bytes(damaged(kept) if content is None else content)
    assert best_known(Hamiltonian(), (16, 16), tmp_path, anneals=FEW) == first
