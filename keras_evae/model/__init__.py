"""The E-VAE: its networks, losses and training step, and what happens in its latent space."""

from keras_evae.machine import prepare_tensorflow

prepare_tensorflow()

from keras_evae.model.evae import EVAE
