"""What is measured on given spin states and numbers: charge, skyrmions, angles, S(q), distances, transitions."""

from keras_evae.analysis.alignment import Alignment, align
from keras_evae.analysis.angle_histogram import AngleDistribution, angle_distribution
from keras_evae.analysis.description import StateDescription, describe_state, generated_statistics
from keras_evae.analysis.distances import fft_mse, wasserstein
from keras_evae.analysis.field_angles import field_angle, local_correlation
from keras_evae.analysis.neighbours import Bonds, defect_share, delaunay_bonds
from keras_evae.analysis.principal_components import critical_beta
from keras_evae.analysis.skyrmions import Skyrmions, find_skyrmions
from keras_evae.analysis.structure import BraggPeaks, bragg_peaks, ring_average, structure_factor, wave_vectors
from keras_evae.analysis.topology import charge_of, stagger, topological_charge
from keras_evae.analysis.transitions import Transition, generation_collapse, posterior_collapse, reconstruction_rise
