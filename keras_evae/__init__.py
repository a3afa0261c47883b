"""E-VAE: magnetic state generation with a Hamiltonian-guided variational autoencoder."""

__version__ = "0.1.0"
