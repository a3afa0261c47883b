"""Figures: arrays in, Matplotlib axes out, and their files. Nothing is computed here."""

from keras_evae.plotting.canvas import as_label, new_figure, save_figure, style
from keras_evae.plotting.curves import (
    COLORS,
    ENERGY_LABEL,
    LOSS_LABELS,
    mark_data,
    mark_transition,
    plot_angle_densities,
    plot_fft_mse,
    plot_interpolation,
    plot_loss,
    plot_quality_against_speed,
    plot_target_loss,
    run_colors,
)
from keras_evae.plotting.order import plot_distribution, plot_neighbours, plot_rings, plot_structure_factor
from keras_evae.plotting.spins import plot, plot_color_wheel, plot_correlation, plot_spins, plot_square
