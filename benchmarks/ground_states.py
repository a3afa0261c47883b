"""E-VAE against slow annealing: searches of ground states, tables and pictures of docs/ground_state.md.

python benchmarks/ground_states.py all          searches in all systems, anneals on without a time limit, writes all
python benchmarks/ground_states.py square_32    the same for one or some of them
python benchmarks/ground_states.py              writes the tables again, from docs/ground_state/*.json

Stopped and started again, it goes on. Without a time limit means: at least 64 slow anneals, and on until the lowest E/N
has not changed while their number doubled. They go on from those in the same CPU time.
"""

import argparse
import dataclasses
import json
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np

from keras_evae import plotting
from keras_evae.config import load_config
from keras_evae.console import run_command
from keras_evae.evaluation.certificate import SAME_ENERGY, certify
from keras_evae.evaluation.sections import read_section
from keras_evae.ground_state import find_ground_state
from keras_evae.ground_state.anneals import FILE, anneal_for
from keras_evae.runs import dataset_specification

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FEWEST = 64
# Short trainings of small batches: a search takes minutes.
SHORT = ("training.batch_size=25", "vae.epochs=8", "evae.epochs=4", "evae.gammas=[300,30000]")
LITTLE_DATA = ("dataset.train=1000", "dataset.validation=100", "dataset.test=100")


@dataclasses.dataclass(frozen=True)
class System:
    """A search: configuration file, what differs from it, seeds, and further values of beta for the phase curve."""

    config: str
    overrides: tuple[str, ...] = LITTLE_DATA
    seeds: int = 1
    betas: tuple[float, ...] = ()


SYSTEMS = {
    "square_32": System("confined_square", (*LITTLE_DATA, "geometry.size=32"), 2, (1e-4, 3e-4)),
    "square_48": System("confined_square", (*LITTLE_DATA, "geometry.size=48")),
    "triangle_48": System("confined_square", (*LITTLE_DATA, "geometry.shape=triangle", "geometry.size=48")),
    "periodic_64": System("quickstart", (), 2),
    "square_64": System("confined_square"),
    "wire_48x96": System("confined_wire"),
}
# Panels in a row of the picture: the states of two systems.
COLUMNS = 4


def search(name, folder):
    """The search of a system; returns its folder."""
    system = SYSTEMS[name]
    overrides = [*SHORT, *system.overrides, f"dataset.path=data/search_{name}.h5"]
    config = load_config(ROOT / "configs" / f"{system.config}.yaml", overrides)
    find_ground_state(config, folder / name, system.seeds, betas=system.betas)
    return folder / name


def anneal_without_limit(hamiltonian, shape, search):
    """Slow anneals until the lowest E/N has not changed while their number doubled."""
    folder = search / "without_limit"
    folder.mkdir(exist_ok=True)
    if not (folder / FILE).is_file():
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


def collect(search):
    """What a search and the anneals after it have found, for a JSON file."""
    specification = dataset_specification(load_config(search / "search.yaml"))
    hamiltonian, shape = specification.hamiltonian, specification.shape
    section = read_section(search / "ground_state.json")
    tables = {table.name: [dict(zip(table.header, row, strict=True)) for row in table.rows] for table in section.tables}
    anneals = anneal_without_limit(hamiltonian, shape, search)
    (certificate,) = certify(anneals.spins[None], hamiltonian, anneals.energy_per_site)
    lowest = tables["ground_state"][0]["energy_per_site"]
    record = {
        "anneals": len(anneals.energies),
        "energy_per_site": anneals.energy_per_site,
        "skyrmions": int(certificate["skyrmions"]),
        "hits": len(hits(anneals)),
        "first_hit": int(hits(anneals)[0]) + 1,
        "as_low_as_evae": int(np.sum(anneals.energies <= lowest + SAME_ENERGY)),
        "cpu_seconds": anneals.cpu_seconds,
        "seconds_to_evae": anneals.seconds_to(lowest),
    }
    return {"spins": hamiltonian.count_sites(shape), "tables": tables, "without_limit": record}


def lowest_states(search):
    """The lowest candidate of a search, and the lowest of all anneals, `(y, x, 3)` each."""
    with h5py.File(search / "candidates.h5") as file, np.load(search / "without_limit" / FILE) as anneals:
        return file["spins"][0], anneals["spins"]


def energy_rows(results):
    yield (
        "System",
        "E-VAE",
        "E-VAE, relaxed",
        "Anneals, same CPU time",
        "Anneals, no limit",
        "Same CPU time",
        "No limit",
    )
    for name, result in results.items():
        methods = {row["method"]: row["energy_per_site"] for row in result["tables"]["ground_state_methods"]}
        generated, evae = (methods[f"collapse of the E-VAE{form}"] for form in (", as generated", ""))
        anneals = methods["slow anneals in the same CPU time"], result["without_limit"]["energy_per_site"]
        energies = (f"{energy:.7f}" for energy in (generated, evae, *anneals))
        yield name, *energies, *(winner(evae, energy) for energy in anneals)


def winner(evae, anneals):
    if abs(evae - anneals) <= SAME_ENERGY:
        return "tie"
    return f"{'E-VAE' if evae < anneals else 'annealing'} by {abs(evae - anneals):.1e}"


def effort_rows(results):
    yield (
        "System", "Spins", "CPU time of data + training, s", "Of one slow anneal, s", "To one as low as the E-VAE, s",
        "Anneals as low as the E-VAE", "Anneals in the lowest state", "First of them",
    )  # fmt: skip
    for name, result in results.items():
        costs = {row["part"]: row["cpu_seconds"] for row in result["tables"]["ground_state_cpu"]}
        data, known = costs["annealed data"], result["without_limit"]
        count, first = known["anneals"], known["seconds_to_evae"]
        yield (
            name,
            str(result["spins"]),
            f"{data:.0f} + {costs['search, in all'] - data:.0f}",
            f"{known['cpu_seconds'] / count:.2g}",
            "never" if first is None else f"{first:.2g}",
            f"{known['as_low_as_evae']} of {count}",
            f"{known['hits']} of {count}",
            f"no. {known['first_hit']}",
        )


def state_rows(results):
    yield "System", "gamma_c of each trial", "Distinct states", "Skyrmions: E-VAE", "Skyrmions: anneals, no limit"
    for name, result in results.items():
        tables = result["tables"]
        names = {row["trial"] for row in tables["ground_state_probes"]}
        trials = [row for row in tables["phase_curve_trials"] if row["trial"] in names]
        marks = ", ".join("none" if row["gamma_c"] is None else f"{row['gamma_c']:.0f}" for row in trials)
        lowest = tables["ground_state"][0]["skyrmions"]
        yield name, marks, str(len(tables["ground_state"])), str(lowest), str(result["without_limit"]["skyrmions"])


def curve_rows(results):
    """The curves of the searches with several values of beta."""
    yield "System", "beta", "Trials", "Collapsed", "gamma_c", "Lowest", "Highest", "Scatter, factor"
    for name, result in results.items():
        rows = result["tables"]["phase_curve"]
        for row in rows if len(rows) > 1 else ():
            yield name, *("-" if value is None else f"{value:.3g}" for value in row.values())


TABLES = {"energies": energy_rows, "effort": effort_rows, "states": state_rows, "phase curve": curve_rows}


def write_tables(results, page):
    """Puts each table between its markers, <!-- name --> and <!-- end of name -->."""
    text = page.read_text(encoding="utf-8")
    for name, rows in TABLES.items():
        header, *body = rows(results)
        lines = [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *body)]
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        if not end:
            raise SystemExit(f"{page}: expected the markers <!-- {name} --> and <!-- end of {name} -->")
        text = before + begin + "\n".join(lines) + "\n" + end + after
    page.write_text(text, encoding="utf-8")


def draw(states, path):
    """For each system the lowest state of the E-VAE beside that of the anneals."""
    with plotting.style():
        figure, axes = plotting.new_figure(-(-2 * len(states) // COLUMNS), COLUMNS, size=(1.9, 2.1))
        panels = [
            (spins, f"{name}\n{method}")
            for name, pair in states.items()
            for method, spins in zip(("E-VAE, relaxed", "anneals, no limit"), pair, strict=True)
        ]
        for cell, (spins, title) in zip(axes.flat, panels, strict=False):
            plotting.plot_spins(cell, spins, title)
        for cell in axes.flat[len(panels) :]:
            cell.set_axis_off()
        plotting.save_figure(figure, path)


def main(names, folder):
    records = DOCS / "ground_state"
    records.mkdir(exist_ok=True)
    for name in SYSTEMS if names == ["all"] else names:
        found = search(name, folder)
        (records / f"{name}.json").write_text(json.dumps(collect(found), indent=1) + "\n", encoding="utf-8")
        if SYSTEMS[name].betas:
            shutil.copy(found / "phase_curve.png", DOCS / "ground_state_phase_curve.png")
    results = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(records.glob("*.json"))}
    write_tables(results, DOCS / "ground_state.md")
    if results and all((folder / name).is_dir() for name in results):
        draw({name: lowest_states(folder / name) for name in results}, DOCS / "ground_state.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", nargs="*", help=f"all, or some of {', '.join(SYSTEMS)}")
    parser.add_argument("--folder", type=Path, default=Path("runs/ground_states"), help="of the searches")
    arguments = parser.parse_args()
    if unknown := set(arguments.systems) - {"all", *SYSTEMS}:
        parser.error(f"expected all, or some of {', '.join(SYSTEMS)}, found {', '.join(unknown)}")
    sys.exit(run_command(lambda: main(arguments.systems, arguments.folder)))
