"""Which stages and images of the paths between two skyrmion lattices are compared with each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from keras_evae.evaluation.passages import IMAGES, Passage
from keras_evae.stages import FinishedStage

# The stage that is compared with that of gamma = 0, as in Figure 4C.
COMPARED_GAMMA = 100.0
# Steps from the peak at which Figure 4C finds the interstitial still there at gamma = 0, and gone at gamma = 100.
STEPS_BEYOND = 2

Passages = Mapping[str, Sequence[Passage]]


def compared(stages: Sequence[FinishedStage], passages: Passages) -> tuple[list[FinishedStage], list[int]]:
    """The stages of Figure 4C, gamma = 0 and about 100, and the images that have a barrier in both; else none."""
    with_energy = [stage for stage in stages if stage.gamma > 0]
    if not with_energy or stages[0].gamma > 0:
        return [], []
    nearest = min(with_energy, key=lambda stage: abs(np.log(stage.gamma / COMPARED_GAMMA)))
    pair = [stages[0], nearest]
    return pair, [image for image in range(IMAGES) if all(passages[stage.name][image].barrier for stage in pair)]
