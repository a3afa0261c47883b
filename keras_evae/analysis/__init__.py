"""Analysis of spin states: arrays in, arrays out."""

from keras_evae.analysis.correlation import local_correlation
from keras_evae.analysis.distances import wasserstein
from keras_evae.analysis.fourier import fft_mse
from keras_evae.analysis.neighbours import bond_orientational_order, defect_share, delaunay_bonds, neighbour_counts
from keras_evae.analysis.skyrmions import Skyrmions, find_skyrmions
from keras_evae.analysis.states import StateDescription, describe_state
from keras_evae.analysis.structure import BraggPeaks, bragg_peaks, ring_average, structure_factor, wave_vectors
from keras_evae.analysis.topology import topological_charge

__all__ = [
    "BraggPeaks",
    "Skyrmions",
    "StateDescription",
    "bond_orientational_order",
    "bragg_peaks",
    "defect_share",
    "delaunay_bonds",
    "describe_state",
    "fft_mse",
    "find_skyrmions",
    "local_correlation",
    "neighbour_counts",
    "ring_average",
    "structure_factor",
    "topological_charge",
    "wasserstein",
    "wave_vectors",
]
