"""Paths through latent space between two target states, for the stages of a run (Figure 4)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_evae.analysis import topological_charge
from keras_evae.analysis.barrier import Barrier, find_barrier, plateau_energies
from keras_evae.console import progress_bar
from keras_evae.evaluation.stage_states import load_stage
from keras_evae.minima.interstitial import Targets
from keras_evae.minima.relaxation import precise_energy
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage

if TYPE_CHECKING:
    from keras_evae.model.evae import EVAE

# Images of the targets that are tried through the encoder, and how many of them are mapped.
CANDIDATES, IMAGES = 64, 4
# Of Adam; where L_T-O is saturated the mapping stops earlier.
MAX_STEPS = 1000
# States on a path, both ends included.
POINTS = 201
# Steps from the peak at which states are kept to be shown.
SHOWN_STEPS = (-30, -10, -5, -2, 0, 2, 5, 10, 30)
# L_T-O, as a share of the distance of the two targets, below which a state is nearer to its own target for certain:
# half the distance, squared (triangle inequality).
REACHED = 0.25
# The stage that is compared with that of gamma = 0, as in Figure 4C.
COMPARED_GAMMA = 100.0
# Steps from the peak at which Figure 4C finds the interstitial still there at gamma = 0, and gone at gamma = 100.
STEPS_BEYOND = 2
# Of a barrier.
MEASURES = ("barrier_height", "fwhm_steps", "fwhm_share", "plateau_initial", "plateau_final")


@dataclasses.dataclass(frozen=True)
class LatentPath:
    """A straight path in latent space from the initial to the final target, in one stage."""

    # L_T-O of the initial and the final state during the inverse mapping, (steps + 1, 2).
    losses: np.ndarray
    # |z1 - z0| of the ends.
    distance: float
    # E/N and topological charges along the path, (POINTS,).
    energies: np.ndarray
    charges: np.ndarray
    # Whether both decoded ends are the targets: by L_T-O and by the topological charge.
    reached: bool
    # None where the path has none or its ends are not the targets.
    barrier: Barrier | None
    # States near the peak, for those of SHOWN_STEPS that lie on the path; empty without a barrier.
    shown: Mapping[int, np.ndarray]

    def measures(self) -> dict[str, float]:
        """Energies per site, the width in steps and as a share of the path; empty without a barrier."""
        if self.barrier is None:
            return {}
        height, width = self.barrier.height, self.barrier.width
        values = height, width, width / (len(self.energies) - 1), *plateau_energies(self.energies)
        return dict(zip(MEASURES, values, strict=True))

    def share_left(self, step: int) -> float | None:
        """What is left of the barrier at R = step (or the end of the path), as a share; None without a barrier."""
        if self.barrier is None:
            return None
        return float(1.0 - (self.energies.max() - self.energies[self._place(step)]) / self.barrier.height)

    def interstitial_left(self, step: int) -> bool:
        """Whether the state at R = step (or the end of the path) has another topological charge than the last one."""
        return round(self.charges[self._place(step)]) != round(self.charges[-1])

    def _place(self, step: int) -> int:
        return min(int(np.argmax(self.energies)) + step, len(self.energies) - 1)

    @property
    def steps(self) -> np.ndarray:
        """R of each state: steps from the peak, positive towards the final state."""
        return np.arange(len(self.energies)) - (self.barrier.peak if self.barrier else 0)


def find_latent_paths(
    run: Run,
    stages: Sequence[FinishedStage],
    targets: Targets,
    candidates: int = CANDIDATES,
    count: int = IMAGES,
    max_steps: int = MAX_STEPS,
) -> tuple[list[Targets], dict[float, list[LatentPath]]]:
    """Maps images of the targets into the latent space of each stage, and follows the paths between them.

    The images, the same for all stages, are translations and point operations of both targets together. Of so many
    `candidates` those `count` are taken whose L_T-O before the mapping, the sum of both targets and the largest of the
    stages, is lowest. Returns the images, that with the lowest L_T-O after the mapping first, and for gamma of each
    stage their paths.
    """
    tried = [targets.image(run.hamiltonian, seed) for seed in range(candidates)]
    images = _nearest_images(run, stages, tried, count)
    progress = progress_bar(stages, "interpolation", unit="stage")
    latent_paths = {stage.gamma: _pass(run, stage, images, max_steps) for stage in progress}
    remaining = [sum(kept[index].losses[-1].sum() for kept in latent_paths.values()) for index in range(len(images))]
    order = np.argsort(remaining)
    ordered = {gamma: [kept[index] for index in order] for gamma, kept in latent_paths.items()}
    return [images[index] for index in order], ordered


def _nearest_images(run: Run, stages: Sequence[FinishedStage], images: Sequence[Targets], count: int) -> list[Targets]:
    from keras_evae.model.latent_inversion import reconstruct_mean

    states = np.concatenate([image.states for image in images]).astype(np.float32)
    worst = np.zeros(len(images))
    for stage in stages:
        losses = np.sum((reconstruct_mean(load_stage(run, stage), states) - states) ** 2, axis=-1).mean(axis=(1, 2))
        worst = np.maximum(worst, losses.reshape(-1, 2).sum(axis=1))
    return [images[index] for index in np.argsort(worst)[:count]]


def _pass(run: Run, stage: FinishedStage, images: Sequence[Targets], max_steps: int) -> list[LatentPath]:
    """The paths of one stage: all targets are mapped in one batch."""
    from keras_evae.model.latent_inversion import inverse_mapping

    model, states = load_stage(run, stage), np.concatenate([image.states for image in images])
    latent, losses = inverse_mapping(model, states, max_steps=max_steps)
    ends = zip(images, latent.reshape(len(images), 2, -1), np.split(losses, len(images), axis=1), strict=True)
    return [_follow(model, image, *each) for image, *each in ends]


def _follow(model: EVAE, image: Targets, ends: np.ndarray, losses: np.ndarray) -> LatentPath:
    spins = model.decode_many(np.linspace(ends[0], ends[1], POINTS))
    energies = np.array([precise_energy(state, model.hamiltonian) for state in spins])
    charges = topological_charge(spins)
    same_charges = np.rint(charges[[0, -1]]) == np.rint(topological_charge(image.states))
    reached = bool(np.all(same_charges & (losses[-1] < REACHED * image.distance)))
    barrier = find_barrier(energies) if reached else None
    places = {step: barrier.peak + step for step in SHOWN_STEPS} if barrier else {}
    shown = {step: spins[place].copy() for step, place in places.items() if 0 <= place < POINTS}
    distance = float(np.linalg.norm(ends[1] - ends[0]))
    return LatentPath(losses, distance, energies, charges, reached, barrier, shown)


# For each gamma, in rising order, a path for each image of the targets.
LatentPaths = Mapping[float, Sequence[LatentPath]]


def compared(latent_paths: LatentPaths) -> tuple[list[float], list[int]]:
    """The values of gamma in Figure 4C, 0 and about 100, and the images that have a barrier at both; else none."""
    with_energy = [gamma for gamma in latent_paths if gamma > 0]
    if not with_energy or 0 not in latent_paths:
        return [], []
    pair = [0.0, min(with_energy, key=lambda gamma: abs(np.log(gamma / COMPARED_GAMMA)))]
    found = zip(*(latent_paths[gamma] for gamma in pair), strict=True)
    return pair, [image for image, both in enumerate(found) if all(path.barrier for path in both)]
