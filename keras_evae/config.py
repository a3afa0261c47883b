"""Typed configuration of a run: the defaults are the paper's values, a YAML file holds the differences.

hamiltonian   the energy, Equation 1
geometry      which sites carry a spin; absent for a whole lattice
dataset       annealed spin configurations: where, how many, how made
network       size of the latent space
training      optimiser, batches, seeds
vae           stages of beta with gamma = 0
evae          stages of gamma at one beta; absent for a plain VAE
thermal       what evae-thermal samples; no training depends on it
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import ValidationError, model_validator

from keras_evae.config_sections import (
    DatasetConfig,
    EVAEConfig,
    GeometryConfig,
    HamiltonianConfig,
    NetworkConfig,
    ThermalConfig,
    TrainingConfig,
    VAEConfig,
)
from keras_evae.config_text import Mismatch, Section, apply_override, first_problem, parse_yaml
from keras_evae.errors import ConfigError, MismatchError, in_brief
from keras_evae.lattice import decode_mask, encode_mask
from keras_evae.terms import EnergyTerm, as_terms


class Config(Section):
    """A whole run. `Config()` is the paper's VAE at full size."""

    hamiltonian: HamiltonianConfig = HamiltonianConfig()
    geometry: GeometryConfig | None = None
    dataset: DatasetConfig = DatasetConfig()
    network: NetworkConfig = NetworkConfig()
    training: TrainingConfig = TrainingConfig()
    vae: VAEConfig = VAEConfig()
    evae: EVAEConfig | None = None
    thermal: ThermalConfig | None = None

    @model_validator(mode="after")
    def _geometry_sets_lattice_and_edges(self) -> Config:
        mask = self.hamiltonian.mask
        # A configuration that carries the mask does not depend on the file any more.
        if self.geometry and not (self.geometry.file and mask):
            sample = self.geometry.place(
                self.dataset.shape if "shape" in self.dataset.model_fields_set else None,
                self.hamiltonian.boundary if "boundary" in self.hamiltonian.model_fields_set else None,
            )
            text = None if sample.mask is None else encode_mask(sample.mask)
            if mask not in (None, text):
                raise Mismatch("hamiltonian.mask", "the mask of the section geometry, or no key", mask)
            # The model is frozen for everyone else.
            energy = {"boundary": sample.boundary, "mask": text}
            self.__dict__["hamiltonian"] = self.hamiltonian.model_copy(update=energy)
            self.__dict__["dataset"] = self.dataset.model_copy(update={"shape": sample.lattice_shape})
        return self

    @model_validator(mode="after")
    def _sections_fit_together(self) -> Config:
        shape, text = self.dataset.shape, self.hamiltonian.mask
        if text and decode_mask(text).shape != shape:
            raise Mismatch("hamiltonian.mask", f"a mask of dataset.shape = {list(shape)}", decode_mask(text).shape)
        batch, train = self.training.batch_size, self.dataset.train
        if batch > train:
            raise Mismatch("training.batch_size", f"at most dataset.train = {train}", batch)
        if self.evae and self.evae.beta not in self.vae.betas:
            raise Mismatch("evae.beta", f"one of vae.betas = {list(self.vae.betas)}", self.evae.beta)
        ladders = [("vae", self.vae.epochs, len(self.vae.betas))]
        ladders += [("evae", self.evae.epochs, len(self.evae.gammas))] if self.evae else []
        for name, epochs, count in ladders:
            if isinstance(epochs, tuple) and len(epochs) != count:
                raise Mismatch(f"{name}.epochs", f"one number, or {count} of them, one for each stage", list(epochs))
        return self

    def with_terms(self, *terms: EnergyTerm) -> Config:
        """The configuration with a user's own energy terms in its Hamiltonian.

        Raises:
            ConfigError: For anything that is no energy term.
            MismatchError: If the configuration names other terms.
        """
        known, found = self.hamiltonian.terms, tuple(repr(term) for term in as_terms(terms))
        expected = tuple(term if isinstance(term, str) else repr(term) for term in known)
        if known and expected != found:
            raise MismatchError(f"hamiltonian.terms: expected {list(expected)} as configured, found {list(found)}")
        return self.model_copy(update={"hamiltonian": self.hamiltonian.model_copy(update={"terms": terms})})


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Reads a configuration and applies `section.key=value` overrides.

    Args:
        path: A YAML file, or the name of a configuration that comes with the package, such as `quickstart`.
        overrides: Texts such as `training.seed=1`.

    Raises:
        ConfigError: With one line that names the file, the key, what was expected and what was found.

    Example:

    >>> load_config("quickstart", ["training.seed=1"]).dataset.shape
    (64, 64)
    """
    overrides = [overrides] if isinstance(overrides, str) else overrides
    known = _shipped_configs()
    try:
        text = (Path(path) if Path(path).is_file() else known.get(str(path), Path(path))).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        expected = f"a YAML configuration file, or one of {', '.join(known)}"
        raise ConfigError(f"{Path(path).absolute()}: expected {expected}; found: {reason}") from error
    values = parse_yaml(text, str(path)) or {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected sections with keys, found {in_brief(values)}")
    for override in overrides:
        apply_override(values, override)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_problem(error, Config)}") from error


def _shipped_configs() -> dict[str, Path]:
    """Files by name: beside this module where the package is installed, beside the package in a checkout."""
    folders = (Path(__file__).parent / "configs", Path(__file__).parents[1] / "configs")
    folder = next(filter(Path.is_dir, folders), folders[0])
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def dump_config(config: Config) -> str:
    """The whole configuration as YAML text that `load_config` reads back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
