"""Training a run: what is missing of it, stage by stage, and the search for the gamma of the collapse."""

from typing import Any

from keras_evae.machine import prepare_tensorflow

prepare_tensorflow()

__all__ = ["train"]


def __getattr__(name: str) -> Any:
    if name == "train":
        from keras_evae.training.recipe import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
