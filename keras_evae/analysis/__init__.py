"""Analysis of spin states: arrays in, arrays out."""

from keras_evae.analysis.correlation import local_correlation
from keras_evae.analysis.fourier import fft_mse
from keras_evae.analysis.topology import topological_charge

__all__ = ["fft_mse", "local_correlation", "topological_charge"]
