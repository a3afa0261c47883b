"""Samplers: states at a temperature, and what they are made of.

Nothing is imported here, so that the configuration reads a schedule without loading Numba.
"""
