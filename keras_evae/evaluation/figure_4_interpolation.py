"""Figure 4: from a skyrmion lattice with an interstitial skyrmion to the perfect one, through latent space."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from keras_evae import plotting
from keras_evae.analysis import local_correlation, topological_charge
from keras_evae.errors import DataError
from keras_evae.evaluation import interpolation_paths
from keras_evae.evaluation.interpolation_paths import MEASURES, POINTS, LatentPath, LatentPaths, find_latent_paths
from keras_evae.evaluation.results import Cell, Picture, Record, Section, Table, for_each_run
from keras_evae.evaluation.stage_selection import awaits_nearer, first_collapsed, ladder_of_gamma, nearest_gammas
from keras_evae.minima.interstitial import Targets, make_targets
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage

GAMMAS = (0.0, 1.0, 10.0, 100.0, 1000.0)
# Side of the region that is drawn, in distances of skyrmions.
ZOOM = 2.0
# Width, in sites, of the average in which the place of the drawn region is found.
SMOOTHING = 3.0
# The paper does not give the number of steps of its paths: R = 2 there may be R = 4, 6 ... of the ones here.
STEPS = tuple(n * interpolation_paths.STEPS_BEYOND for n in range(1, 6))
# What the barrier table has standard deviations of, beside means.
SPREAD = ("barrier_height", "fwhm_steps")
TEXT = (
    "Both targets are minima of the energy: a perfect triangular lattice of skyrmions, and one with an interstitial "
    "skyrmion (in a small box the whole lattice rearranges around it). Inverse mapping: Adam changes the latent vector "
    "z alone until L_T-O, the squared distance of decoded and target spins (sum over components, mean over sites), is "
    f"saturated. The path is the straight line between both z, in {POINTS} states. R counts its steps from the highest "
    "energy, positive towards the perfect lattice; a step is a share of |z1 - z0|, which itself differs from model to "
    "model. The baseline is the straight line through the plateaus, the mean energies of the first and of the last "
    "tenth of the path; height and full width at half maximum (FWHM) of the barrier refer to it. Numbers are means and "
    f"standard deviations over {interpolation_paths.IMAGES} images of the targets: translations and point operations "
    "of both together, which leave the energies as they are."
)


@for_each_run
def make_interpolation(run: Run, output: Path, file: str, gammas: Sequence[float] = GAMMAS) -> Section:
    """Energy along the path between two skyrmion lattices in latent space, for several gamma."""
    section = Section("interpolation", "Figure 4: interpolation", TEXT)
    stages, notes = _uncollapsed(run, gammas)
    try:
        targets = make_targets(run.hamiltonian, run.shape)
    except DataError as error:
        return dataclasses.replace(section, notes=[*notes, f"{run.name}: {error}"])
    images, latent_paths = find_latent_paths(run, stages, targets)
    notes += [note for gamma, paths in latent_paths.items() for note in _missing(run, gamma, paths, targets)]
    # A row for each state: too long for the terminal.
    _curve_table(latent_paths, f"{file}_curves").write(output)
    pair, _ = interpolation_paths.compared(latent_paths)
    awaited = awaits_nearer(run, [interpolation_paths.COMPARED_GAMMA])
    return dataclasses.replace(
        section,
        tables=[
            _target_table(run, targets),
            _barrier_table(latent_paths),
            _steps_table(latent_paths),
            _image_table(latent_paths),
        ],
        pictures=_draw(run, images, latent_paths, output, file),
        notes=notes,
        numbers={"": {"compared_gamma": pair[1] if pair else None, "awaits_nearer_stage": awaited}},
    )


def _uncollapsed(run: Run, gammas: Sequence[float]) -> tuple[list[FinishedStage], list[str]]:
    """The stages to interpolate in: a collapsed decoder gives one state for every z."""
    stages, notes = nearest_gammas(run, gammas)
    if first := first_collapsed(ladder_of_gamma(run)):
        where = f"gamma = {first.gamma:g} on, where it has collapsed to one state"
        notes.append(f"{run.name}: no interpolation from {where}")
    return [stage for stage in stages if first is None or stage.gamma < first.gamma], notes


def _missing(run: Run, gamma: float, paths: Sequence[LatentPath], targets: Targets) -> list[str]:
    """Which images give no barrier, and why; and whether the mapping came to its end."""
    share, distance = interpolation_paths.REACHED, targets.distance
    reasons = {
        f"the decoder does not reach the targets (L_T-O above {share * distance:.2g}, {share:g} of the squared "
        "distance of the two targets, or other topological charges)": sum(not path.reached for path in paths),
        "the highest energy lies at an end of the path": sum(path.reached and not path.barrier for path in paths),
    }
    head = f"{run.name}, gamma = {gamma:g}"
    notes = [f"{head}: {count} of {len(paths)} images left out: {reason}" for reason, count in reasons.items() if count]
    if (steps := len(paths[0].losses) - 1) >= interpolation_paths.MAX_STEPS:
        notes.append(f"{head}: L_T-O was not yet saturated when the inverse mapping stopped, after {steps} steps")
    return notes


def _target_table(run: Run, targets: Targets) -> Table:
    charges = [round(float(topological_charge(spins))) for spins in targets.states]
    energies = map(float, run.hamiltonian.energy_per_site(targets.states))
    columns = ("with interstitial", "perfect"), (targets.count + 1, targets.count), charges, energies
    caption = (
        f"targets, relaxed to |S x h| below {targets.torque:.1e}; "
        f"their squared distance is {targets.distance:.3f}, normalised like L_T-O"
    )
    header = ["state", "skyrmions", "topological_charge", "energy_per_site"]
    return Table("interpolation_targets", caption, header, list(zip(*columns, strict=True)))


def _barrier_table(latent_paths: LatentPaths) -> Table:
    records: list[Record] = []
    for gamma, paths in latent_paths.items():
        found = [path.measures() for path in _with_barrier(paths)]
        record: Record = {"gamma": gamma, "images": len(found), "mapping_steps": len(paths[0].losses) - 1}
        record["L_TO_initial"], record["L_TO_final"] = np.mean([path.losses[-1] for path in paths], axis=0).tolist()
        record["z_distance"] = float(np.mean([path.distance for path in paths]))
        for measure in MEASURES:
            values = [measures[measure] for measures in found]
            record[measure] = float(np.mean(values)) if values else None
            if measure in SPREAD:
                record[f"{measure}_std"] = float(np.std(values)) if values else None
        records.append(record)
    caption = (
        "means over the images with a barrier (L_T-O and |z1 - z0| over all); energies per site, FWHM in "
        "steps R and as a share of |z1 - z0|"
    )
    return Table.of_records("interpolation", caption, records)


def _with_barrier(paths: Sequence[LatentPath]) -> list[LatentPath]:
    return [path for path in paths if path.barrier]


def _steps_table(latent_paths: LatentPaths) -> Table:
    rows: list[list[Cell]] = []
    for (gamma, paths), step in itertools.product(latent_paths.items(), STEPS):
        left = [(path.share_left(step), path.interstitial_left(step)) for path in _with_barrier(paths)]
        shares: list[Cell] = np.array(left, float).mean(axis=0).tolist() if left else [None, None]
        rows.append([gamma, step, round((POINTS - 1) * interpolation_paths.STEPS_BEYOND / step, 1), len(left), *shares])
    caption = (
        "what is left R steps beyond the peak. Of the barrier: mean over the images with a barrier. Of "
        "the interstitial: share of these images whose topological charge is not yet that of the perfect lattice. "
        f"Steps: those of a path on which this place would have R = {interpolation_paths.STEPS_BEYOND}"
    )
    header = ["gamma", "R", "steps", "images", "barrier_left", "interstitial_left"]
    return Table("interpolation_steps", caption, header, rows)


def _image_table(latent_paths: LatentPaths) -> Table:
    rows: list[list[Cell]] = []
    for gamma, paths in latent_paths.items():
        for image, path in enumerate(paths):
            reached, measures = "yes" if path.reached else "no", map(path.measures().get, MEASURES)
            rows.append([gamma, image, reached, *measures, path.share_left(interpolation_paths.STEPS_BEYOND)])
    header = ["gamma", "image", "reached", *MEASURES, f"barrier_left_at_R={interpolation_paths.STEPS_BEYOND}"]
    return Table("interpolation_images", "each image of the targets; energies per site", header, rows)


def _curve_table(latent_paths: LatentPaths, file: str) -> Table:
    rows: list[list[Cell]] = []
    for gamma, paths in latent_paths.items():
        for image, path in enumerate(paths):
            for point, (step, *values) in enumerate(zip(path.steps, path.energies, path.charges, strict=True)):
                place = int(step) if path.barrier else None
                rows.append([gamma, image, place, point / (POINTS - 1), *map(float, values)])
    header = ["gamma", "image", "R", "share_of_path", "energy_per_site", "topological_charge"]
    return Table("interpolation_curves", "energies and topological charges along the paths", header, rows, file=file)


def _draw(run: Run, images: Sequence[Targets], latent_paths: LatentPaths, output: Path, file: str) -> list[Picture]:
    """Figure 4B with the L_T-O of its ends, and Figure 4C, as far as there are barriers."""
    drawn = {rf"$\gamma$ = {gamma:g}": kept for gamma, paths in latent_paths.items() if (kept := _with_barrier(paths))}
    if not drawn:
        return []
    figure, axes = plotting.new_figure(1, 2, size=(5.0, 3.6))
    curves = {label: [(path.steps, path.energies) for path in paths] for label, paths in drawn.items()}
    plotting.plot_interpolation(axes[0, 0], curves)
    plotting.plot_target_loss(axes[0, 1], {label: paths[0].losses for label, paths in drawn.items()})
    plotting.save_figure(figure, output / f"{file}.png")
    caption = (
        "energy along the path for each gamma, a line for each image of the targets, and L_T-O of one "
        f"image during the inverse mapping; numbers in {file}_curves.csv"
    )
    pictures = [Picture(f"{file}.png", caption, "interpolation")]
    pair, common = interpolation_paths.compared(latent_paths)
    if common:
        rows = {rf"$\gamma$ = {gamma:g}": latent_paths[gamma][common[0]] for gamma in pair}
        _draw_states(run, images[common[0]], rows, output / f"{file}_states.png")
        caption = (
            "targets, and the part of the decoded states in the dashed square, R steps from the peak; the "
            "square lies where the spins of the last row follow their fields least at R = 0"
        )
        pictures.append(Picture(f"{file}_states.png", caption, "interpolation_states"))
    return pictures


def _draw_states(run: Run, targets: Targets, rows: Mapping[str, LatentPath], path: Path) -> None:
    side = min(*targets.states.shape[1:3], round(ZOOM * targets.spacing))
    last = list(rows.values())[-1]
    shift = _shift_to_middle(local_correlation(last.shown[0], run.hamiltonian))
    top, left = ((length - side) // 2 for length in targets.states.shape[1:3])

    def zoomed(spins: np.ndarray) -> np.ndarray:
        return np.roll(spins, shift, axis=(0, 1))[top : top + side, left : left + side]

    figure, axes = plotting.new_figure(
        len(rows), len(interpolation_paths.SHOWN_STEPS) + 3, size=(1.25, 1.4), blank=True
    )
    for column, title, spins in zip((0, -2), ("with interstitial", "perfect"), targets.states, strict=True):
        plotting.plot_spins(axes[0, column], np.roll(spins, shift, axis=(0, 1)), title)
        plotting.plot_square(axes[0, column], side)
        plotting.plot_spins(axes[1, column], zoomed(spins), "zoomed")
    for row, (label, latent_path) in zip(axes, rows.items(), strict=True):
        for cell, step in zip(row[1:], interpolation_paths.SHOWN_STEPS, strict=False):
            if step in latent_path.shown:
                plotting.plot_spins(cell, zoomed(latent_path.shown[step]), f"R = {step}")
        row[1].set_ylabel(label)
    plotting.plot_color_wheel(axes[0, -1])
    plotting.save_figure(figure, path)


def _shift_to_middle(correlation: np.ndarray) -> tuple[int, int]:
    """The translation that takes the place of the lowest local correlation to the middle of a periodic lattice."""
    smooth = gaussian_filter(correlation, SMOOTHING, mode="wrap")
    y, x = divmod(int(np.argmin(smooth)), smooth.shape[1])
    return smooth.shape[0] // 2 - y, smooth.shape[1] // 2 - x
