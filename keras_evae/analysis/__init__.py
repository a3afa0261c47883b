"""Analysis of spin states: arrays in, arrays out."""

from keras_evae.analysis.comparison import Alignment, align
from keras_evae.analysis.correlation import local_correlation
from keras_evae.analysis.fourier import fft_mse
from keras_evae.analysis.skyrmions import Skyrmions, defect_share, find_skyrmions, neighbour_counts
from keras_evae.analysis.topology import topological_charge

__all__ = [
    "Alignment",
    "Skyrmions",
    "align",
    "defect_share",
    "fft_mse",
    "find_skyrmions",
    "local_correlation",
    "neighbour_counts",
    "topological_charge",
]
