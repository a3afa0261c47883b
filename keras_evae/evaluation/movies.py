"""Recipe `movie`: the interpolation between two skyrmion lattices, and generated states along gamma."""

import dataclasses
from pathlib import Path

import numpy as np

from keras_evae.errors import DataError
from keras_evae.evaluation.interpolation_paths import COMPARED_GAMMA
from keras_evae.evaluation.results import Section, for_each_run
from keras_evae.evaluation.stage_selection import before_collapse, ladder_of_gamma
from keras_evae.evaluation.stage_states import generate, load_stage
from keras_evae.minima.interstitial import make_targets
from keras_evae.plotting.gif import write_movie
from keras_evae.runs.run import Run

# Pictures of the interpolation, both ends included, and seconds of a stage.
POINTS, STAGE_SECONDS = 61, 0.8


@for_each_run
def make_movie(run: Run, output: Path, file: str) -> Section:
    """Writes `<file>_gamma.gif`, and `<file>_interpolation.gif` where the lattice has room for the two targets."""
    section = Section("movie", "Movies", "Generated states along gamma, and an interpolation.")
    stages = ladder_of_gamma(run)
    states = np.concatenate([generate(run, stage, 1) for stage in stages])
    labels = [f"gamma = {stage.gamma:g}" for stage in stages]
    write_movie(output / f"{file}_gamma.gif", states, labels, STAGE_SECONDS)
    notes = [f"a state of each stage, from the same latent vector: {file}_gamma.gif"]
    try:
        targets = make_targets(run.hamiltonian, run.shape)
    except DataError as error:
        return dataclasses.replace(section, notes=[*notes, f"no movie of an interpolation: {error}"])
    stage = min(before_collapse(run), key=lambda stage: abs(stage.gamma - COMPARED_GAMMA))
    model = load_stage(run, stage)
    ends = np.asarray(model.encode(np.asarray(targets.states, np.float32))[0])
    path = model.decode_many(np.linspace(ends[0], ends[1], POINTS))
    energies = zip(np.linspace(0, 1, POINTS), run.hamiltonian.energy_per_site(path.astype(np.float64)), strict=True)
    labels = [f"R = {share:.2f}, E/N = {energy:.4f}" for share, energy in energies]
    write_movie(output / f"{file}_interpolation.gif", path, labels)
    notes.append(f"between the encoded targets of Figure 4, gamma = {stage.gamma:g}: {file}_interpolation.gif")
    return dataclasses.replace(section, notes=notes)
