"""Figure 4: from a skyrmion lattice with an interstitial skyrmion to the perfect one, through latent space."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from keras_evae import plotting
from keras_evae.analysis import local_correlation, topological_charge
from keras_evae.errors import DataError
from keras_evae.evaluation.interpolation_paths import (
    COMPARED_GAMMA,
    IMAGES,
    MAX_STEPS,
    POINTS,
    REACHED,
    SHOWN_STEPS,
    STEPS_BEYOND,
    LatentPath,
    LatentPaths,
    compared,
    find_latent_paths,
)
from keras_evae.evaluation.results import Cell, Picture, Section, Table, for_each_run
from keras_evae.evaluation.stage_selection import (
    awaits_nearer,
    first_collapsed,
    ladder_of_gamma,
    nearest_gammas,
)
from keras_evae.minima.interstitial import Targets, make_targets
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage

GAMMAS = (0.0, 1.0, 10.0, 100.0, 1000.0)
# Side of the region that is drawn, in distances of skyrmions.
ZOOM = 2.0
# Width, in sites, of the average in which the place of the drawn region is found.
SMOOTHING = 3.0
# The paper does not give the number of steps of its paths: R = 2 there may be R = 4, 6 ... of the ones here.
STEPS = tuple(n * STEPS_BEYOND for n in range(1, 6))
# Means of the barrier table; standard deviations too for the first two.
MEASURES, SPREAD = ("barrier_height", "fwhm_steps", "fwhm_share", "plateau_initial", "plateau_final"), 2
TEXT = (
    "Both targets are minima of the energy: a perfect triangular lattice of skyrmions, and one with an interstitial "
    "skyrmion (in a small box the whole lattice rearranges around it). Inverse mapping: Adam changes the latent vector "
    "z alone until L_T-O, the squared distance of decoded and target spins (sum over components, mean over sites), is "
    f"saturated. The path is the straight line between both z, in {POINTS} states. R counts its steps from the highest "
    "energy, positive towards the perfect lattice; a step is a share of |z1 - z0|, which itself differs from model to "
    "model. The baseline is the straight line through the plateaus, the mean energies of the first and of the last "
    "tenth of the path; height and full width at half maximum (FWHM) of the "
    f"barrier refer to it. Numbers are means and standard deviations over {IMAGES} images of the targets: translations "
    "and point operations of both together, which leave the energies as they are."
)


@for_each_run("interpolation")
def make_interpolation(run: Run, output: Path, file: str, gammas: Sequence[float] = GAMMAS) -> Section:
    """Energy along the path between two skyrmion lattices in latent space, for several gamma."""
    section = Section("interpolation", "Figure 4: interpolation", TEXT)
    stages, notes = _uncollapsed(run, gammas)
    try:
        targets = make_targets(run.hamiltonian, run.shape)
    except DataError as error:
        return dataclasses.replace(section, notes=[*notes, f"{run.name}: {error}"])
    images, latent_paths = find_latent_paths(run, stages, targets)
    notes += [note for stage in stages for note in _missing(run, stage, latent_paths[stage.name], targets)]
    # A row for each state: too long for the terminal.
    _curve_table(stages, latent_paths, f"{file}_curves").write(output)
    pair, _ = compared(stages, latent_paths)
    numbers = {
        "compared_gamma": pair[1].gamma if pair else None,
        "awaits_nearer_stage": awaits_nearer(run, [COMPARED_GAMMA]),
    }
    tables = [
        _target_table(run, targets),
        _barrier_table(stages, latent_paths),
        _steps_table(stages, latent_paths),
        _image_table(stages, latent_paths),
    ]
    pictures = _draw(run, stages, images, latent_paths, output, file)
    return dataclasses.replace(section, tables=tables, pictures=pictures, notes=notes, numbers={"": numbers})


def _uncollapsed(run: Run, gammas: Sequence[float]) -> tuple[list[FinishedStage], list[str]]:
    """The stages to interpolate in: a collapsed decoder gives one state for every z."""
    stages, notes = nearest_gammas(run, gammas)
    first = first_collapsed(ladder_of_gamma(run))
    if first is None:
        return stages, notes
    notes.append(f"{run.name}: no interpolation from gamma = {first.gamma:g} on, where it has collapsed to one state")
    return [stage for stage in stages if stage.gamma < first.gamma], notes


def _missing(run: Run, stage: FinishedStage, latent_paths: Sequence[LatentPath], targets: Targets) -> list[str]:
    """Which images give no barrier, and why; and whether the mapping came to its end."""
    unreached = sum(not latent_path.reached for latent_path in latent_paths)
    flat = sum(latent_path.reached and latent_path.barrier is None for latent_path in latent_paths)
    reasons = {
        f"the decoder does not reach the targets (L_T-O above {REACHED * targets.distance:.2g}, {REACHED:g} of the "
        "squared distance of the two targets, or other topological charges)": unreached,
        "the highest energy lies at an end of the path": flat,
    }
    head = f"{run.name}, gamma = {stage.gamma:g}"
    notes = [
        f"{head}: {count} of {len(latent_paths)} images left out: {reason}"
        for reason, count in reasons.items()
        if count
    ]
    if len(latent_paths[0].losses) > MAX_STEPS:
        notes.append(f"{head}: L_T-O was not yet saturated when the inverse mapping stopped, after {MAX_STEPS} steps")
    return notes


def _target_table(run: Run, targets: Targets) -> Table:
    rows: list[list[Cell]] = [
        [state, count, round(float(topological_charge(spins))), float(run.hamiltonian.energy_per_site(spins))]
        for state, count, spins in zip(
            ("with interstitial", "perfect"), (targets.count + 1, targets.count), targets.states, strict=True
        )
    ]
    caption = (
        f"targets, relaxed to |S x h| below {targets.torque:.1e}; "
        f"their squared distance is {targets.distance:.3f}, normalised like L_T-O"
    )
    return Table(
        "interpolation_targets", caption, ["state", "skyrmions", "topological_charge", "energy_per_site"], rows
    )


def _barrier_table(stages: Sequence[FinishedStage], latent_paths: LatentPaths) -> Table:
    spread = [column for measure in MEASURES[:SPREAD] for column in (measure, f"{measure}_std")]
    rows = [_barrier_row(stage, latent_paths[stage.name]) for stage in stages]
    caption = (
        "means over the images with a barrier (L_T-O and |z1 - z0| over all); energies per site, FWHM in "
        "steps R and as a share of |z1 - z0|"
    )
    header = ["gamma", "images", "mapping_steps", "L_TO_initial", "L_TO_final", "z_distance"]
    return Table("interpolation", caption, [*header, *spread, *MEASURES[SPREAD:]], rows)


def _barrier_row(stage: FinishedStage, latent_paths: Sequence[LatentPath]) -> list[Cell]:
    found = [latent_path.measures() for latent_path in latent_paths if latent_path.barrier]
    row: list[Cell] = [stage.gamma, len(found), len(latent_paths[0].losses) - 1]
    row += np.mean([latent_path.losses[-1] for latent_path in latent_paths], axis=0).tolist()
    row.append(float(np.mean([latent_path.distance for latent_path in latent_paths])))
    for index, measure in enumerate(MEASURES):
        statistics = (np.mean, np.std) if index < SPREAD else (np.mean,)
        values = [measures[measure] for measures in found]
        row += [float(statistic(values)) if values else None for statistic in statistics]
    return row


def _steps_table(stages: Sequence[FinishedStage], latent_paths: LatentPaths) -> Table:
    rows: list[list[Cell]] = []
    for stage, step in itertools.product(stages, STEPS):
        found = [latent_path for latent_path in latent_paths[stage.name] if latent_path.barrier]
        left = [(latent_path.share_left(step), latent_path.interstitial_left(step)) for latent_path in found]
        shares: list[Cell] = np.mean(left, axis=0).tolist() if left else [None, None]
        rows.append([stage.gamma, step, round((POINTS - 1) * STEPS_BEYOND / step, 1), len(found), *shares])
    caption = (
        "what is left R steps beyond the peak. Of the barrier: mean over the images with a barrier. Of "
        "the interstitial: share of these images whose topological charge is not yet that of the perfect lattice. "
        f"Steps: those of a path on which this place would have R = {STEPS_BEYOND}"
    )
    return Table(
        "interpolation_steps", caption, ["gamma", "R", "steps", "images", "barrier_left", "interstitial_left"], rows
    )


def _image_table(stages: Sequence[FinishedStage], latent_paths: LatentPaths) -> Table:
    rows: list[list[Cell]] = []
    for stage in stages:
        for image, latent_path in enumerate(latent_paths[stage.name]):
            found = latent_path.measures() if latent_path.barrier else {}
            left = latent_path.share_left(STEPS_BEYOND) if latent_path.barrier else None
            reached = "yes" if latent_path.reached else "no"
            rows.append([stage.gamma, image, reached, *map(found.get, MEASURES), left])
    header = ["gamma", "image", "reached", *MEASURES, f"barrier_left_at_R={STEPS_BEYOND}"]
    return Table("interpolation_images", "each image of the targets; energies per site", header, rows)


def _curve_table(stages: Sequence[FinishedStage], latent_paths: LatentPaths, file: str) -> Table:
    rows: list[list[Cell]] = [
        [
            stage.gamma,
            image,
            int(step) if latent_path.barrier else None,
            point / (POINTS - 1),
            float(energy),
            float(charge),
        ]
        for stage in stages
        for image, latent_path in enumerate(latent_paths[stage.name])
        for point, (step, energy, charge) in enumerate(
            zip(latent_path.steps, latent_path.energies, latent_path.charges, strict=True)
        )
    ]
    header = ["gamma", "image", "R", "share_of_path", "energy_per_site", "topological_charge"]
    return Table("interpolation_curves", "energies and topological charges along the paths", header, rows, file=file)


def _draw(
    run: Run,
    stages: Sequence[FinishedStage],
    images: Sequence[Targets],
    latent_paths: LatentPaths,
    output: Path,
    file: str,
) -> list[Picture]:
    """Figure 4B with the L_T-O of its ends, and Figure 4C, as far as there are barriers."""
    drawn = [stage for stage in stages if any(latent_path.barrier for latent_path in latent_paths[stage.name])]
    if not drawn:
        return []
    _draw_curves(drawn, latent_paths, output / f"{file}.png")
    caption = (
        "energy along the path for each gamma, a line for each image of the targets, and L_T-O of one "
        f"image during the inverse mapping; numbers in {file}_curves.csv"
    )
    pictures = [Picture(f"{file}.png", caption, "interpolation")]
    pair, common = compared(stages, latent_paths)
    if common:
        rows = {f"$\\gamma$ = {stage.gamma:g}": latent_paths[stage.name][common[0]] for stage in pair}
        _draw_states(run, images[common[0]], rows, output / f"{file}_states.png")
        caption = (
            "targets, and the part of the decoded states in the dashed square, R steps from the peak; the "
            "square lies where the spins of the last row follow their fields least at R = 0"
        )
        pictures.append(Picture(f"{file}_states.png", caption, "interpolation_states"))
    return pictures


def _draw_curves(stages: Sequence[FinishedStage], latent_paths: LatentPaths, path: Path) -> None:
    names = {stage.name: rf"$\gamma$ = {stage.gamma:g}" for stage in stages}
    found = {name: [latent_path for latent_path in latent_paths[name] if latent_path.barrier] for name in names}
    figure, axes = plotting.new_figure(1, 2, size=(5.0, 3.6))
    curves = {
        names[name]: [(latent_path.steps, latent_path.energies) for latent_path in some] for name, some in found.items()
    }
    plotting.plot_interpolation(axes[0, 0], curves)
    plotting.plot_target_loss(axes[0, 1], {names[name]: some[0].losses for name, some in found.items()})
    plotting.save_figure(figure, path)


def _draw_states(run: Run, targets: Targets, rows: Mapping[str, LatentPath], path: Path) -> None:
    """Both targets at the sides, above their zoomed parts; between them the states near the peak, a row a gamma."""
    side = min(*targets.states.shape[1:3], round(ZOOM * targets.spacing))
    last = list(rows.values())[-1]
    centred = _centring(local_correlation(last.shown[0], run.hamiltonian))
    figure, axes = plotting.new_figure(len(rows), len(SHOWN_STEPS) + 2, size=(1.25, 1.4))
    for column, title, spins in zip((0, -1), ("with interstitial", "perfect"), targets.states, strict=True):
        plotting.plot_spins(axes[0, column], centred(spins), title)
        plotting.plot_square(axes[0, column], side)
        plotting.plot_spins(axes[1, column], _middle(centred(spins), side), "zoomed")
    for row, (label, latent_path) in enumerate(rows.items()):
        for column, step in enumerate(SHOWN_STEPS, start=1):
            if step in latent_path.shown:
                plotting.plot_spins(axes[row, column], _middle(centred(latent_path.shown[step]), side), f"R = {step}")
            else:
                axes[row, column].set_axis_off()
        axes[row, 1].set_ylabel(label)
    plotting.save_figure(figure, path)


def _centring(correlation: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The translation of a periodic lattice that takes the place of the lowest local correlation to the middle."""
    smooth = gaussian_filter(correlation, SMOOTHING, mode="wrap")
    lowest = np.unravel_index(np.argmin(smooth), smooth.shape)
    shift = [side // 2 - int(place) for side, place in zip(smooth.shape, lowest, strict=True)]
    return lambda spins: np.roll(spins, shift, axis=(0, 1))


def _middle(spins: np.ndarray, side: int) -> np.ndarray:
    """The square of `side` sites in the middle of a configuration."""
    y, x = ((length - side) // 2 for length in spins.shape[:2])
    return spins[y : y + side, x : x + side]
