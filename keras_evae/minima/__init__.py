"""Minima of the energy, found without a network: placed, relaxed, certified, compared, annealed slowly."""
