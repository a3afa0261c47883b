"""Energy terms on arrays and tensors, and what the check at their first use finds."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_evae.errors import ConfigError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.lattice import Lattice
from keras_evae.model.losses import hamiltonian_loss
from keras_evae.terms import EnergyTerm, SecondNeighbours
from tests.helpers import energy_terms as wrong
from tests.helpers.energy_terms import RIGHT, Compass, FieldGradient, FourSpins, ThirdNeighbours
from tests.helpers.states import random_spins

SHAPE = (6, 9)
MASK = np.random.default_rng(5).random(SHAPE) < 0.7
SITUATIONS = [
    {},
    {"boundary": "open"},
    {"boundary": ("open", "periodic"), "mask": MASK},
    {"mask": MASK, "K": 0.3, "J2": 0.2, "dmi": "bloch"},
]


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("terms", [[term] for term in RIGHT] + [RIGHT], ids=str)
def test_arrays_tensors_and_gradients_agree(terms, situation):
    h, plain = Hamiltonian(terms=terms, **situation), Hamiltonian(**situation)
    spins = random_spins(2, *SHAPE)
    lattice = Lattice(SHAPE, h.periodic, h.mask)
    inside = spins if h.mask is None else spins * MASK[..., None]
    added = sum(term.energy(inside, lattice) for term in terms)
    assert np.abs(added).min() > 1e-3
    np.testing.assert_allclose(h.energy(spins) - plain.energy(spins), added, atol=1e-12)
    tensor = tf.constant(spins)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        energy = h.energy(tensor)
    field = h.effective_field(spins)
    np.testing.assert_allclose(energy, h.energy(spins), rtol=1e-12)
    np.testing.assert_allclose(h.effective_field(tensor), field, atol=1e-12)
    np.testing.assert_allclose(tape.gradient(energy, tensor), -field, atol=1e-12)
    direction, step = random_spins(*SHAPE, seed=1), 1e-5
    slope = (h.energy(spins + step * direction) - h.energy(spins - step * direction)) / (2 * step)
    np.testing.assert_allclose(-np.sum(field * direction, axis=(1, 2, 3)), slope, rtol=1e-6, atol=1e-7)


def test_closed_forms_and_precision():
    h, spins = Hamiltonian(J2=0.1, terms=RIGHT), random_spins(2, *SHAPE).astype(np.float32)
    assert h.energy(spins).dtype == h.effective_field(spins).dtype == np.float32
    loss = tf.function(lambda tensor: hamiltonian_loss(h, tensor), jit_compile=False)
    expected = np.mean(h.energy_per_site(spins)) - h.reference_energy_per_site(SHAPE)
    assert loss(tf.constant(spins)).dtype == tf.float32
    assert float(loss(tf.constant(spins))) == pytest.approx(float(expected), rel=1e-5)
    assert h.reference_energy_per_site(SHAPE) == -2.0
    x, z = (np.broadcast_to(direction, (*SHAPE, 3)).astype(float) for direction in ((1, 0, 0), (0, 0, 1)))
    bare = {"J": 0.0, "D": 0.0, "B": 0.0}
    assert Hamiltonian(**bare, terms=[Compass(0.7)]).energy_per_site(x) == pytest.approx(-0.7)
    assert Hamiltonian(**bare, terms=[Compass(0.7)]).energy_per_site(z) == 0.0
    assert Hamiltonian(**bare, terms=[ThirdNeighbours(0.7)]).energy_per_site(z) == pytest.approx(-1.4)
    assert Hamiltonian(**bare, terms=[FourSpins(0.7)], boundary="open").energy(z) == pytest.approx(-0.7 * 5 * 8)
    assert Hamiltonian(**bare, terms=[FieldGradient(0.7)]).energy_per_site(x) == pytest.approx(-0.35)
    spins = random_spins(*SHAPE)
    for boundary in ("periodic", "open"):
        built_in = Hamiltonian(J2=0.4, boundary=boundary)
        own = Hamiltonian(terms=[NamedSecondNeighbours(0.4)], boundary=boundary)
        np.testing.assert_allclose(own.effective_field(spins), built_in.effective_field(spins), atol=1e-14)
        assert own.energy(spins) == pytest.approx(built_in.energy(spins))


class NamedSecondNeighbours(SecondNeighbours):
    def __repr__(self):
        return f"NamedSecondNeighbours({self.J2})"


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (wrong.HalfField(0.7), "HalfField.*expected field = -dE/dS"),
        (wrong.CubicAnisotropy(0.2), "depends neither on the spin of its own site"),
        (wrong.TooShort(0.2), "farther away than reach = 1"),
        (wrong.WrongEdge(0.2), "expected field = -dE/dS"),
        (wrong.OneEnergy(0.2), r"of shape \(2,\) for spins .*lattice.total"),
        (wrong.NotANumber(0.2), "expected field = -dE/dS.* nan"),
        (wrong.WrongShape(0.2), r"expected a field of shape \(6, 9, 3\), found \(6, 9, 2\)"),
    ],
)
@pytest.mark.parametrize("strength", [1.0, 1e-6, 1e6])
def test_wrong_terms_are_refused_at_first_use(term, message, strength):
    parameter = next(iter(dataclasses.asdict(term)))
    term = dataclasses.replace(term, **{parameter: strength * getattr(term, parameter)})
    h, spins = Hamiltonian(terms=[term], boundary="open"), random_spins(*SHAPE)
    for call in (h.energy, h.effective_field, lambda s: h.energy(tf.constant(s))):
        with pytest.raises(ConfigError, match=message) as error:
            call(spins)
        assert "\n" not in str(error.value)


def test_terms_are_compared_by_their_text():
    far = FarNeighbours(0.3)
    Hamiltonian(terms=[far]).lattice((12, 12))
    # By the colours of another term's reach; one that is too short, by its own.
    for terms in ([far, ThirdNeighbours(0.1)], [ThirdNeighbours(0.1), wrong.TooShort(0.2)]):
        with pytest.raises(ConfigError, match="(FarNeighbours|TooShort).*reach = 1"):
            Hamiltonian(terms=terms).lattice((12, 12))
    h = Hamiltonian(J2=0.1, terms=[Compass(0.7)])
    others = (Hamiltonian(terms=[Compass(0.7)]), Hamiltonian(J2=0.1), Hamiltonian(J2=0.1, terms=[Compass(1)]))
    same = Hamiltonian(J2=0.1, terms=(Compass(0.7),))
    assert h == same and len({h, same, *others}) == 4
    assert dataclasses.replace(h, J2=0.0) == Hamiltonian(terms=[Compass(0.7)])
    assert h.to_config()["terms"] == ["Compass(strength=0.7)"] and h.to_config()["J2"] == 0.1
    with pytest.raises(ConfigError, match="not executed"):
        Hamiltonian(**h.to_config())
    assert Hamiltonian(**Hamiltonian(J2=0.1).to_config()) == Hamiltonian(J2=0.1)
    assert "SecondNeighbours(J2=0.1)" in h.describe() and "Compass(strength=0.7)" in h.describe()
    assert "J2" not in Hamiltonian().describe()
    assert (h.reach, Hamiltonian().reach, Hamiltonian(terms=RIGHT).reach) == (1, 1, 2)


@dataclasses.dataclass(frozen=True)
class FarNeighbours(EnergyTerm):
    strength: float
    reach = 1

    def field(self, spins, lattice):
        return self.strength * (lattice.neighbour(spins, 0, 3) + lattice.neighbour(spins, 0, -3))

    def energy(self, spins, lattice):
        return -0.5 * lattice.total(spins * self.field(spins, lattice))


def test_each_lattice_is_checked_once():
    calls = []

    class Counted(Compass):
        def energy(self, spins, lattice):
            calls.append(lattice.shape)
            return super().energy(spins, lattice)

    h = Hamiltonian(terms=[Counted(0.1)])
    for shape in ((6, 8), (6, 8), (8, 6)):
        h.effective_field(random_spins(*shape))
    first, second = [len(list(group)) for _, group in itertools.groupby(calls)]
    assert first == second > 0
    h.effective_field(random_spins(6, 8))
    assert len(calls) == first + second


class Plain(Compass):
    __repr__ = object.__repr__


@dataclasses.dataclass(frozen=True)
class NoReach(EnergyTerm):
    def energy(self, spins, lattice):
        return 0.0

    def field(self, spins, lattice):
        return 0.0


class Negative(NoReach):
    reach = -1


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("Compass(strength=0.7)", "terms: expected objects .*a text is not executed"),
        (3, "terms: expected objects"),
        (Compass, "terms: expected objects"),
        (Plain(0.1), "expected a repr that shows all parameters"),
        (Compass(np.zeros(2000)), "expected a repr that shows all parameters"),
        (NoReach(), "expected `reach` as an integer of at least 0, found None"),
        (Negative(), "expected `reach` .* found -1"),
    ],
)
def test_what_is_no_term_is_refused_at_once(term, message):
    with pytest.raises(ConfigError, match=message):
        Hamiltonian(terms=[term])
