"""Samples thermal states: averages with errors at some temperatures, or maps over two parameters."""

import argparse
import contextlib
import itertools
import logging
from pathlib import Path

import numpy as np

from keras_evae.commands.options import add_config, add_overrides, add_workers, make_main, new_parser
from keras_evae.config import Config, load_config
from keras_evae.config_sections import ThermalConfig
from keras_evae.console import format_csv, format_table
from keras_evae.dataset.cluster import connect
from keras_evae.dataset.formats.spin_files import write_spins
from keras_evae.dataset.thermal_file import ensure_thermal
from keras_evae.dataset.thermal_specification import ThermalSpecification
from keras_evae.errors import ArgumentError, ConfigError
from keras_evae.files import disk_errors, write_whole
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.plotting import new_figure, save_figure, style
from keras_evae.plotting.temperature_curves import plot_scan, plot_thermal
from keras_evae.units import BOLTZMANN, MILLI_ELECTRONVOLT

logger = logging.getLogger(__name__)

SCANNED = ("J", "D", "B", "K", "T")
# What the terminal and the pictures show; the CSV file has all.
SHOWN = {"energy": "$E/N$ ($J$)", "heat_capacity": "heat capacity / $N$", "magnetization_modulus": "$|M|/N$",
         "charge": "topological charge"}  # fmt: skip
MAPPED = ("charge", "magnetization_modulus", "heat_capacity")
EPILOG = """examples:
  evae-thermal --config quickstart --set thermal.sweeps=30000
  evae-thermal --config quickstart --set thermal.exchange=true --set thermal.even_acceptance=true
  evae-thermal --config quickstart --scan B=0:0.12:13 --scan T=0.05:1:12

Stopped at any moment and started again with the same arguments, it continues after the last finished part.
The result does not depend on workers, machines or interruptions. A CSV file and a picture stand beside the HDF5 file.
"""


def make_parser() -> argparse.ArgumentParser:
    parser = new_parser("evae-thermal", __doc__, EPILOG)
    add_config(parser, required=True)
    add_overrides(parser, "thermal.sweeps=30000")
    scan_help = "a map over NAME, one of J, D, B, K, T, as at most two axes of COUNT even steps"
    parser.add_argument("--scan", action="append", default=[], metavar="NAME=START:STOP:COUNT", help=scan_help)
    add_workers(parser, "sample")
    return parser


def _sample(options: argparse.Namespace) -> None:
    config = load_config(options.config, options.set)
    settings = config.thermal or ThermalConfig()
    # The temperature is the last axis, as in the arrays.
    scans = dict(sorted(map(_scan, options.scan), key=lambda axis: axis[0] == "T"))
    specification = _specification(config, settings, scans)
    cluster = connect(options.scheduler, options.workers) if options.scheduler else contextlib.nullcontext()
    with cluster as client:
        arrays = ensure_thermal(settings.path, specification, options.workers, client)
    kelvin = (settings.J_meV or 0.0) / (abs(config.hamiltonian.J) or 1.0) * MILLI_ELECTRONVOLT / BOLTZMANN
    rows = _rows(specification, arrays, kelvin)
    with disk_errors(settings.path):
        write_whole(settings.path.with_suffix(".csv"), format_csv(list(rows[0]), [row.values() for row in rows]))
        _draw(settings.path.with_suffix(".png"), arrays, scans)
        if settings.keep:
            spins = arrays["spins"].reshape(-1, *specification.shape, 3)
            write_spins(settings.path.with_name(f"{settings.path.stem}_spins.npy"), spins)
    axes = ["T", *(name for name in scans if name != "T")]
    cells = [
        [f"{row[name]:.5g}" for name in axes] + [f"{row[name]:.5g} ± {row[f'{name}_error']:.1g}" for name in SHOWN]
        for row in rows
    ]
    logger.info("%s", format_table([*axes, *SHOWN], cells))
    logger.info("written: %s, with .csv and .png beside it", settings.path)


def _scan(text: str) -> tuple[str, np.ndarray]:
    """The name and the values of an axis."""
    name, _, numbers = text.partition("=")
    try:
        start, stop, count = numbers.split(":")
        values = np.linspace(float(start), float(stop), int(count))
    except ValueError:
        values = np.empty(0)
    if name not in SCANNED or not values.size or not np.isfinite(values).all():
        raise ConfigError(f"--scan {text}: expected NAME=START:STOP:COUNT, such as B=0:0.12:13, NAME of J, D, B, K, T")
    return name, values


def _specification(config: Config, settings: ThermalConfig, scans: dict[str, np.ndarray]) -> ThermalSpecification:
    if len(scans) > 2:
        raise ConfigError(f"--scan: expected two axes at most, found {', '.join(scans)}")
    values = settings.model_dump(exclude={"path", "J_meV"})
    values["temperatures"] = tuple(float(value) for value in scans.get("T", settings.temperatures))
    energies = {name: axis for name, axis in scans.items() if name != "T"}
    if len(energies) == 2 and len(values["temperatures"]) > 1:
        raise ConfigError("thermal.temperatures: expected one temperature for a map over two parameters of the energy")
    points = (dict(zip(energies, map(float, point), strict=True)) for point in itertools.product(*energies.values()))
    hamiltonians = tuple(Hamiltonian(**dict(config.hamiltonian) | point) for point in points)
    try:
        return ThermalSpecification(hamiltonians, config.dataset.shape, **values)
    except ArgumentError as error:
        raise ConfigError(f"thermal.{error.name}: expected {error.expected}, found {error.found}") from error


def _rows(specification: ThermalSpecification, arrays: dict[str, np.ndarray], kelvin: float) -> list[dict]:
    """One row for each Hamiltonian and temperature: parameters, then averages; of vectors a column a component."""
    rows = []
    for place in np.ndindex(arrays["temperatures"].shape):
        temperature = float(arrays["temperatures"][place])
        row = {name: getattr(specification.hamiltonians[place[0]], name) for name in "JDBK"} | {"T": temperature}
        if kelvin:
            row["kelvin"] = temperature * kelvin
        for name in [*(name for name in arrays if f"{name}_error" in arrays), "autocorrelation_time"]:
            for end in ("", "_error") if f"{name}_error" in arrays else ("",):
                value = arrays[name + end][place]
                axes = ("_x", "_y", "_z") if np.ndim(value) else ("",)
                row |= {name + axis + end: float(each) for axis, each in zip(axes, np.atleast_1d(value), strict=True)}
        rows.append(row)
    return rows


def _draw(path: Path, arrays: dict[str, np.ndarray], scans: dict[str, np.ndarray]) -> None:
    with style():
        if len(scans) == 2:
            (first, x), (second, y) = scans.items()
            figure, axes = new_figure(1, len(MAPPED), (3.6, 2.8))
            for cell, name in zip(axes[0], MAPPED, strict=True):
                values = arrays[name].reshape(len(x), len(y)).T
                plot_scan(cell, x.tolist(), y.tolist(), values, (f"${first}$", f"${second}$"), SHOWN[name])
        else:
            points = [f"{name} = {value:.3g}" for name, axis in scans.items() if name != "T" for value in axis]
            figure, axes = new_figure(1, len(SHOWN), (3.0, 2.6))
            for cell, (name, label) in zip(axes[0], SHOWN.items(), strict=True):
                curves = zip(arrays["temperatures"], arrays[name], arrays[f"{name}_error"], strict=True)
                for curve, point in zip(curves, points or [""], strict=True):
                    plot_thermal(cell, *curve, label, point)
            if points:
                axes[0, 0].legend()
        save_figure(figure, path)


main = make_main(make_parser, _sample)
