"""Training a run: what is missing of it, stage by stage, and the search for the gamma of the collapse."""

from keras_evae.machine import prepare_tensorflow

prepare_tensorflow()
