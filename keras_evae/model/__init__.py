"""The E-VAE: its networks, losses and training step, and what happens in its latent space."""

from keras_evae.machine import check_keras

check_keras()

from keras_evae.model.evae import EVAE
