"""Energy terms for tests: right ones, each with another kind of interaction, and wrong ones."""

import dataclasses

import numpy as np

from keras_evae.terms import EnergyTerm


class PairTerm(EnergyTerm):
    """A term whose energy is a sum over pairs, each of which the field sees from both ends."""

    def energy(self, spins, lattice):
        return -0.5 * lattice.total(spins * self.field(spins, lattice))


@dataclasses.dataclass(frozen=True)
class Compass(PairTerm):
    """E = -A sum over right bonds S_i^x S_j^x - A sum over up bonds S_i^y S_j^y."""

    strength: float
    reach = 1

    def field(self, spins, lattice):
        row = lattice.neighbour(spins, 0, 1) + lattice.neighbour(spins, 0, -1)
        column = lattice.neighbour(spins, 1, 0) + lattice.neighbour(spins, -1, 0)
        return self.strength * (row * (1.0, 0.0, 0.0) + column * (0.0, 1.0, 0.0))


@dataclasses.dataclass(frozen=True)
class ThirdNeighbours(PairTerm):
    """E = -J3 sum of S_i.S_j over sites two steps apart along an axis."""

    J3: float
    reach = 2

    def field(self, spins, lattice):
        return self.J3 * sum(lattice.neighbour(spins, *step) for step in ((2, 0), (-2, 0), (0, 2), (0, -2)))


@dataclasses.dataclass(frozen=True)
class FourSpins(EnergyTerm):
    """E = -R sum over squares of (S_1.S_2)(S_3.S_4), with the upper bond 12 and the lower bond 34."""

    strength: float
    reach = 1

    def field(self, spins, lattice):
        parts = []
        for dx in (1, -1):
            beside = lattice.neighbour(spins, 0, dx)
            for dy in (1, -1):
                opposite = lattice.dot(lattice.neighbour(spins, dy, 0), lattice.neighbour(spins, dy, dx))
                parts.append(beside * opposite)
        return self.strength * sum(parts)

    def energy(self, spins, lattice):
        return -0.25 * lattice.total(spins * self.field(spins, lattice))


@dataclasses.dataclass(frozen=True)
class FieldGradient(EnergyTerm):
    """A field along x that grows with x, from 0 at the first to `strength` at the last column."""

    strength: float
    reach = 0

    def field(self, spins, lattice):
        slope = np.linspace(0.0, self.strength, lattice.shape[1])
        return (0.0 * spins + 1.0) * slope[:, None] * (1.0, 0.0, 0.0)

    def energy(self, spins, lattice):
        return -lattice.total(spins * self.field(spins, lattice))


@dataclasses.dataclass(frozen=True)
class HalfField(Compass):
    """Each bond counted from one side only in the field."""

    def field(self, spins, lattice):
        return 0.5 * super().field(spins, lattice)

    def energy(self, spins, lattice):
        return -0.5 * lattice.total(spins * super().field(spins, lattice))


@dataclasses.dataclass(frozen=True)
class CubicAnisotropy(EnergyTerm):
    """E = -A sum of S_x^4 + S_y^4 + S_z^4: its field depends on the spin itself."""

    strength: float
    reach = 0

    def field(self, spins, lattice):
        return 4.0 * self.strength * spins**3

    def energy(self, spins, lattice):
        return -self.strength * lattice.total(spins**4)


class TooShort(ThirdNeighbours):
    reach = 1


class WrongEdge(Compass):
    """Forgets the boundary of the lattice."""

    def field(self, spins, lattice):
        return self.strength * (np.roll(spins, 1, -2) + np.roll(spins, -1, -2)) * (1.0, 0.0, 0.0)

    def energy(self, spins, lattice):
        return -self.strength * lattice.total(spins * lattice.neighbour(spins, 0, 1) * (1.0, 0.0, 0.0))


class OneEnergy(Compass):
    def energy(self, spins, lattice):
        return -0.5 * np.sum(spins * self.field(spins, lattice))


class NotANumber(Compass):
    def field(self, spins, lattice):
        return np.nan * spins


class WrongShape(Compass):
    def field(self, spins, lattice):
        return super().field(spins, lattice)[..., :2]


RIGHT = [Compass(0.7), ThirdNeighbours(-0.3), FourSpins(0.4), FieldGradient(0.5)]
