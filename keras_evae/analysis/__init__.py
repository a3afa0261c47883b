"""Analysis of spin states: arrays in, arrays out."""

from keras_evae.analysis.correlation import field_angle, local_correlation
from keras_evae.analysis.distribution import AngleDistribution, angle_distribution
from keras_evae.analysis.fourier import fft_mse
from keras_evae.analysis.principal_components import critical_beta
from keras_evae.analysis.skyrmions import Skyrmions, defect_share, find_skyrmions, neighbour_counts
from keras_evae.analysis.topology import topological_charge
from keras_evae.analysis.transitions import Transition, generation_collapse, posterior_collapse, reconstruction_rise

__all__ = [
    "AngleDistribution",
    "Skyrmions",
    "Transition",
    "angle_distribution",
    "critical_beta",
    "defect_share",
    "fft_mse",
    "field_angle",
    "find_skyrmions",
    "generation_collapse",
    "local_correlation",
    "neighbour_counts",
    "posterior_collapse",
    "reconstruction_rise",
    "topological_charge",
]
