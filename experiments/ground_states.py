"""E-VAE against slow annealing: searches of ground states, tables and pictures of docs/ground_state.md.

python -m experiments.ground_states all             searches in all systems, anneals without a time limit, writes all
python -m experiments.ground_states square_32       the same for one or some of them
python -m experiments.ground_states all --anneals   starts no search; anneals only
python -m experiments.ground_states                 writes the tables again, from docs/ground_state/*.json

Stopped and started again, it continues. Without a time limit means: at least 64 slow anneals, and more until the lowest
E/N has not changed while their number doubled. They include the anneals of a search, if there is one.
"""

import argparse
import dataclasses
import json
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import scipy.stats

from keras_evae import plotting
from keras_evae.config import load_config
from keras_evae.console import run_command
from keras_evae.dataset import read_energies
from keras_evae.evaluation.ground_state import find_ground_state
from keras_evae.evaluation.results import read_section
from keras_evae.minima.certificate import SAME_ENERGY, certify
from keras_evae.minima.slow_anneals import FILE, anneal_for
from keras_evae.runs.from_config import dataset_specification

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FEWEST = 64
# Panels in a row of the picture.
COLUMNS = 4
# Short trainings of small batches, for a search of minutes.
SHORT = (
    "training.batch_size=25", "vae.epochs=8", "evae.epochs=4", "evae.gammas=[300,30000]",
    "dataset.train=1000", "dataset.validation=100", "dataset.test=100",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class System:
    """A search: configuration file, what differs from it, seeds, and further values of beta for the phase curve."""

    config: str
    overrides: tuple[str, ...] = ()
    seeds: int = 1
    betas: tuple[float, ...] = ()

    def load(self, name):
        overrides = [*SHORT, *self.overrides, f"dataset.path=data/search_{name}.h5"]
        return load_config(ROOT / "configs" / f"{self.config}.yaml", overrides)


SYSTEMS = {
    "square_32": System("confined_square", ("geometry.size=32",), 2, (1e-4, 3e-4)),
    "square_48": System("confined_square", ("geometry.size=48",)),
    "triangle_48": System("confined_square", ("geometry.shape=triangle", "geometry.size=48")),
    "periodic_64": System("quickstart", (), 2),
    "square_64": System("confined_square"),
    "wire_48x96": System("confined_wire"),
}


def without_limit(search):
    """Not in the folder of the search, which may begin later."""
    return search.parent / "without_limit" / search.name


def anneal_without_limit(hamiltonian, shape, search):
    """Slow anneals until the lowest E/N has not changed while their number doubled."""
    folder = without_limit(search)
    folder.mkdir(parents=True, exist_ok=True)
    if (search / FILE).is_file() and not (folder / FILE).is_file():
        shutil.copy(search / FILE, folder / FILE)
    anneals = anneal_for(hamiltonian, shape, 0.0, folder)
    while (enough := max(FEWEST, 2 * (hits(anneals)[0] + 1))) > len(anneals.energies):
        # Half of one more, against rounding.
        seconds = (enough + 0.5) * anneals.cpu_seconds / len(anneals.energies)
        anneals = anneal_for(hamiltonian, shape, seconds, folder)
    return anneals


def hits(anneals):
    """Indices of the anneals that ended in the lowest energy."""
    return np.flatnonzero(anneals.energies <= anneals.energies.min() + SAME_ENERGY)


def collect(name, search):
    """What the anneals, and the search if it is there, have found, for a JSON file."""
    config = SYSTEMS[name].load(name)
    specification = dataset_specification(config)
    hamiltonian, shape = specification.hamiltonian, specification.shape
    anneals = anneal_without_limit(hamiltonian, shape, search)
    (certificate,) = certify(anneals.spins[None], hamiltonian, anneals.energy_per_site)
    record = {
        "spins": hamiltonian.count_sites(shape),
        "energy_per_site": anneals.energy_per_site,
        "skyrmions": int(certificate["skyrmions"]),
        "anneals": len(anneals.energies),
        "hits": len(hits(anneals)),
        "first_hit": int(hits(anneals)[0]) + 1,
        "cpu_seconds": anneals.cpu_seconds,
    }
    if not (search / "ground_state.json").is_file():
        return record
    section = read_section(search / "ground_state.json")
    tables = {table.name: table.records for table in section.tables}
    found = summarise(tables)
    data = np.concatenate([read_energies(config.dataset.path, split) for split in ("train", "validation", "test")])
    return {
        **record,
        "as_low_as_evae": int(np.sum(anneals.energies <= found["relaxed"] + SAME_ENERGY)),
        "seconds_to_evae": anneals.seconds_to(found["relaxed"]),
        "data": len(data),
        "data_hits": int(np.sum(data <= anneals.energies.min() + SAME_ENERGY)),
        "data_as_low_as_evae": int(np.sum(data <= found["relaxed"] + SAME_ENERGY)),
        "search": found,
        "tables": tables,
    }


def summarise(tables):
    """What the pages say of a search."""
    methods = {row["method"]: row for row in tables["ground_state_methods"]}
    evae = [row for row in tables["ground_state_candidates"] if "E-VAE" in row["found_by"]]
    trials = {row["trial"] for row in tables["ground_state_probes"]}
    return {
        "generated": methods["generated states"]["energy_per_site"],
        "relaxed": methods["generated states, relaxed"]["energy_per_site"],
        "anneals": methods["slow anneals"]["states"],
        "anneals_energy_per_site": methods["slow anneals"]["energy_per_site"],
        "data_seconds": methods["annealed data"]["cpu_seconds"],
        "cpu_seconds": methods["generated states, relaxed"]["cpu_seconds"],
        "distinct_states": len(evae),
        "skyrmions": evae[0]["skyrmions"],
        "gamma_c": [row["gamma_c"] for row in tables["phase_curve_trials"] if row["trial"] in trials],
    }


def lowest_states(search):
    """The lowest of all anneals, and the lowest of the E-VAE if there is a search, by name, `(y, x, 3)` each."""
    with np.load(without_limit(search) / FILE) as anneals:
        states = {"slow anneals": anneals["spins"]}
    if (search / "candidates.h5").is_file():
        with h5py.File(search / "candidates.h5") as file:
            origins = json.loads(file.attrs["origins"])
            states["E-VAE, relaxed"] = file["spins"][min(int(rank) for rank in origins if "E-VAE" in origins[rank])]
    return states


def anneal_rows(results):
    """Anneals without a time limit."""
    yield (
        "System", "Spins", "Lowest E/N", "Skyrmions", "Slow anneals", "In the lowest state", "First of them",
        "CPU time of one, s", "Data in the lowest state",
    )  # fmt: skip
    for name, result in results.items():
        count = result["anneals"]
        yield (
            name,
            str(result["spins"]),
            f"{result['energy_per_site']:.7f}",
            str(result["skyrmions"]),
            str(count),
            f"{result['hits']} ({result['hits'] / count:.0%})",
            f"no. {result['first_hit']}",
            f"{result['cpu_seconds'] / count:.2g}",
            f"{result['data_hits'] / result['data']:.0%}" if "data" in result else "-",
        )


def searches(results):
    """The systems with a search."""
    return {name: result for name, result in results.items() if "search" in result}


def energy_rows(results):
    """The lowest E/N of each method."""
    yield (
        "System",
        "E-VAE",
        "E-VAE, relaxed",
        "Anneals, same CPU time",
        "Anneals, no limit",
        "Same CPU time",
        "No limit",
    )
    for name, result in searches(results).items():
        found = result["search"]
        generated, evae = found["generated"], found["relaxed"]
        anneals = found["anneals_energy_per_site"], result["energy_per_site"]
        energies = (f"{energy:.7f}" for energy in (generated, evae, *anneals))
        yield name, *energies, *(winner(evae, energy) for energy in anneals)


def winner(evae, anneals):
    if abs(evae - anneals) <= SAME_ENERGY:
        return "tie"
    return f"{'E-VAE' if evae < anneals else 'annealing'} by {abs(evae - anneals):.1e}"


def search_rows(results):
    """What the searches took, and what they found."""
    yield (
        "System", "CPU time: data + training, s", "Anneals in it", "To one as low as the E-VAE, s",
        "Anneals as low", "Data as low", "gamma_c of each trial", "Distinct states", "Skyrmions",
    )  # fmt: skip
    for name, result in searches(results).items():
        found, first = result["search"], result["seconds_to_evae"]
        yield (
            name,
            f"{found['data_seconds']:.0f} + {found['cpu_seconds'] - found['data_seconds']:.0f}",
            str(found["anneals"]),
            "never" if first is None else f"{first:.2g}",
            f"{result['as_low_as_evae'] / result['anneals']:.0%}",
            f"{result['data_as_low_as_evae'] / result['data']:.0%}",
            ", ".join("none" if mark is None else f"{mark:.0f}" for mark in found["gamma_c"]),
            str(found["distinct_states"]),
            str(found["skyrmions"]),
        )


def curve_rows(results):
    """The curves of the searches with several values of beta."""
    yield "System", "beta", "Trials", "Collapsed", "gamma_c", "Lowest", "Highest", "Scatter, factor"
    for name, result in searches(results).items():
        trials = {}
        for row in result["tables"]["phase_curve_trials"]:
            trials.setdefault(row["beta"], []).append(row["gamma_c"])
        for beta, found in trials.items() if len(trials) > 1 else ():
            marks = [mark for mark in found if mark is not None]
            values = [scipy.stats.gmean(marks), min(marks), max(marks)] if marks else 3 * [None]
            # The factor of one standard deviation of log gamma_c; one trial has none.
            values.append(scipy.stats.gstd(marks) if len(marks) > 1 else None)
            cells = (beta, len(found), len(marks), *values)
            yield name, *("-" if value is None else f"{value:.3g}" for value in cells)


TABLES = {"energies": energy_rows, "searches": search_rows, "anneals": anneal_rows, "phase curve": curve_rows}


def write_tables(results, page):
    """Puts each table between its markers, <!-- name --> and <!-- end of name -->."""
    text = page.read_text(encoding="utf-8")
    for name, rows in TABLES.items():
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        if not end:
            raise SystemExit(f"{page}: expected the markers <!-- {name} --> and <!-- end of {name} -->")
        header, *body = rows(results)
        lines = [f"| {' | '.join(row)} |\n" for row in (header, ["---"] * len(header), *body)] if body else []
        text = before + begin + "".join(lines) + end + after
    page.write_text(text, encoding="utf-8")


def draw(states, path):
    """For each system the lowest state of the anneals, and that of the E-VAE."""
    panels = [(spins, f"{name}\n{method}") for name, found in states.items() for method, spins in found.items()]
    with plotting.style():
        # One place more, for the colours.
        figure, axes = plotting.new_figure(len(panels) // COLUMNS + 1, COLUMNS, size=(1.9, 2.1), blank=True)
        for cell, (spins, title) in zip(axes.flat, panels, strict=False):
            plotting.plot_spins(cell, spins, title)
        plotting.plot_color_wheel(axes.flat[len(panels)])
        plotting.save_figure(figure, path)


def main(names, folder, anneals_only):
    records = DOCS / "ground_state"
    records.mkdir(exist_ok=True)
    for name in SYSTEMS if names == ["all"] else names:
        system, found = SYSTEMS[name], folder / name
        if not anneals_only:
            find_ground_state(system.load(name), found, system.seeds, betas=system.betas)
        (records / f"{name}.json").write_text(json.dumps(collect(name, found), indent=1) + "\n", encoding="utf-8")
    results = {name: json.loads(path.read_text()) for name in SYSTEMS if (path := records / f"{name}.json").is_file()}
    write_tables(results, DOCS / "ground_state.md")
    states = {name: lowest_states(folder / name) for name in results if without_limit(folder / name).is_dir()}
    if states:
        draw(states, DOCS / "ground_state.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", nargs="*", help=f"all, or some of {', '.join(SYSTEMS)}")
    parser.add_argument("--anneals", action="store_true", help="start no search")
    parser.add_argument("--folder", type=Path, default=Path("runs/ground_states"), help="of the searches")
    arguments = parser.parse_args()
    if unknown := set(arguments.systems) - {"all", *SYSTEMS}:
        parser.error(f"expected all, or some of {', '.join(SYSTEMS)}, found {', '.join(unknown)}")
    sys.exit(run_command(lambda: main(arguments.systems, arguments.folder, arguments.anneals)))
