"""A training run on disk: its folder read, checked and compared with a configuration."""

from keras_evae.runs.run import Run, latest_run, load_run
