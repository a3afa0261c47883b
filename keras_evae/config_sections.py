"""The sections of a configuration: each option with its default, which is the paper's value.

A new option of a run is one line here; `keras_evae.config` puts the sections together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from keras_evae.config_text import (
    Count,
    CountFromZero,
    Coupling,
    Epochs,
    Extent,
    Ladder,
    Mismatch,
    Pattern,
    Positive,
    Section,
    Seed,
    Side,
    SpelledOut,
    Switch,
    Term,
    Units,
    UserPath,
)
from keras_evae.geometry import Geometry, make_geometry, read_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.schedule import AnnealingSchedule


class HamiltonianConfig(Section):
    """The arguments of `keras_evae.Hamiltonian`, which says what they may be; the mask as text.

    `terms` in a file only says which energy terms belong to the run: the objects come from Python, with `with_terms`.
    """

    J: Coupling = 1.0
    D: Coupling = 0.3
    B: Coupling = 0.05
    K: Coupling = 0.0
    dmi: str = "neel"
    boundary: str | Annotated[tuple[str, str], Field(strict=False)] = "periodic"
    mask: str | None = None
    J2: Coupling = 0.0
    terms: Annotated[tuple[Term, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _suit_the_hamiltonian(self) -> HamiltonianConfig:
        Hamiltonian(**{**dict(self), "terms": ()})
        return self


class GeometryConfig(Section):
    """The sample: a `shape` by name with its `size` in sites, or a mask from a PNG or NPY `file`.

    It sets what belongs to the lattice as well as to the energy: `hamiltonian.mask`, `hamiltonian.boundary` and
    `dataset.shape`, the smallest lattice that the network can take. Both of the latter may be given all the same: a
    larger lattice, the periodic axis of a wire, the edges of a file. Run folders keep all three, and with
    them the mask, so that a file is read once. Names and sizes: `keras_evae.geometry.make_geometry`.
    """

    shape: Literal["square", "rectangle", "wire", "disc", "triangle", "hexagon"] | None = None
    size: Extent | Annotated[tuple[Extent, Extent], Field(strict=False)] | None = None
    file: UserPath | None = None

    @model_validator(mode="after")
    def _shape_or_file(self) -> GeometryConfig:
        if (self.shape is None) == (self.file is None) or (self.shape is None) != (self.size is None):
            found = {name: value for name, value in self.model_dump(mode="json").items() if value is not None}
            raise Mismatch("geometry", "shape and size, or a file, such as {shape: disc, size: 48}", found)
        return self

    def place(self, lattice: tuple[int, int] | None, boundary: str | tuple[str, str] | None) -> Geometry:
        """The sample in the lattice, with the edges, that are asked for; None leaves them to it."""
        edges = (boundary, boundary) if isinstance(boundary, str) else boundary
        if self.shape and self.size:
            return make_geometry(self.shape, self.size, lattice, edges)
        return read_geometry(self.file or "", lattice, edges)


class AnnealingConfig(Section):
    """The arguments of `keras_evae.AnnealingSchedule`, which says what they may be."""

    start_temperature: float = 1.0
    end_temperature: float = 0.1
    temperatures: int = 60
    sweeps: int = 1
    over_relaxation: int = 10
    torque_tolerance: float = 1e-4
    max_greedy_sweeps: int = 20_000

    @model_validator(mode="after")
    def _suit_the_schedule(self) -> AnnealingConfig:
        AnnealingSchedule(**dict(self))
        return self


class DatasetConfig(Section):
    """Annealed configurations: file, lattice `(y, x)`, sizes of the three splits, seed, schedule or its name.

    `storage` is the type of the spins in the file: float16 takes half the disk and rounds a spin by at most 5e-4.
    `source: stream` anneals `train` new configurations in each epoch, while the model trains: worthwhile where that is
    faster. The file's training split, as large as that of validation, is then what training losses are evaluated on.
    `cache` keeps a split in memory while it is trained on: `auto` where it takes at most half of what is free.
    `source: own` takes a user's states instead: `path` is what evae-import has made, or is made of `files` (files of
    spins, folders, globs), whose lattice is fitted to `shape` by `fit`; `seed` splits them.
    """

    source: Literal["file", "stream", "own"] = "file"
    files: Annotated[tuple[Pattern, ...], Field(strict=False)] = ()
    fit: Literal["exact", "crop", "tile"] = "exact"
    path: UserPath = Path("data/skyrmions_128x128.h5")
    shape: Annotated[tuple[Side, Side], Field(strict=False)] = (128, 128)
    train: Count = 30_000
    validation: Count = 5_000
    test: Count = 4_300
    seed: Seed = 0
    storage: Literal["float32", "float16"] = "float32"
    cache: Switch = "auto"
    schedule: Annotated[AnnealingConfig, SpelledOut] = AnnealingConfig()

    @model_validator(mode="after")
    def _files_of_a_users_own(self) -> DatasetConfig:
        if self.source != "own" and (self.files or self.fit != "exact"):
            raise Mismatch("source", "own, where files or fit are given", self.source)
        return self


class ThermalConfig(Section):
    """What `evae-thermal` samples, on the lattice of the dataset: the arguments of `keras_evae.sample`.

    `path` is the file of the results. With `J_meV`, the exchange constant of a pair of atoms in meV, tables give the
    temperature in kelvin too.
    """

    path: UserPath = Path("data/thermal.h5")
    temperatures: Ladder = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    sweeps: Count = 30_000
    thermalization: CountFromZero = 3000
    seed: Seed = 0
    exchange: bool = False
    even_acceptance: bool = False
    interval: Count = 10
    charge_interval: Count = 300
    over_relaxation: CountFromZero = 5
    keep: CountFromZero = 0
    J_meV: Positive | None = None


class NetworkConfig(Section):
    """The paper's network, of which the latent space is left to choose, and one width.

    `dense_units` of the encoder's first dense layer are by default as many as the flattened features before it, 3072 at
    128 x 128 as in the paper; on larger lattices its parameters, the square of that, fill the memory.

    Above `largest_log_variance` of a posterior the exponential in L_KL goes on along its tangent, and the noise of the
    latent vector grows no more. 20 only prevents overflows; with 4 no single sample outweighs the others, training is
    calmer at small gamma, and the collapse comes later (docs/reproduction.md).
    """

    latent_dim: Units = 100
    # Up to 80 its exponential is finite in single precision.
    largest_log_variance: Annotated[float, Field(gt=0, le=80)] = 20.0
    dense_units: Units | None = None

    @model_serializer(mode="wrap")
    def _only_what_is_given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}


class TrainingConfig(Section):
    """Optimiser and batches.

    `augmentation` draws a random translation and lattice symmetry for each sample, `gradient_clip_norm` bounds the norm
    of the whole gradient (softens the jump from one gamma to the next), `reset_optimizer` starts each stage with a
    fresh Adam state. Adam remembers squared gradients for 1 / (1 - `adam_beta_2`) steps: where a stage has fewer, those
    of the gamma before set the size of its steps. Stages from the gamma `settle_from` on settle in the state they have
    collapsed into: every second latent vector is drawn from the standard normal, so that L_H is the energy of generated
    states too, and the learning rate falls to a tenth. `phases` computes the convolutions at half resolution, on one
    device in float32; `jit_compile` compiles the training step with XLA. `auto` is the fast choice: phases without XLA
    on CPUs, plain layers with XLA on GPUs, without XLA on several devices. With `precision: mixed_bfloat16` the layers
    compute in bfloat16; latent vectors, spins, losses and weights stay float32. `checkpoint_minutes` is how much of a
    stage is lost at most when a run is killed; it may differ from start to start.
    """

    seed: Seed = 0
    batch_size: Units = 100
    learning_rate: Positive = 1e-3
    adam_beta_2: Annotated[float, Field(gt=0, lt=1)] = 0.999
    augmentation: bool = False
    gradient_clip_norm: Positive | None = None
    reset_optimizer: bool = False
    settle_from: Positive | None = None
    phases: Switch = "auto"
    jit_compile: Switch = "auto"
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    checkpoint_minutes: Positive = 5.0


class VAEConfig(Section):
    """Stages of the standard VAE; `epochs` is one number, or one for each stage."""

    betas: Ladder = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    epochs: Epochs = 100


class EVAEConfig(Section):
    """Stages of the E-VAE, which starts from the VAE trained at `beta`; `epochs` as in the VAE."""

    beta: Positive = 1e-3
    gammas: Ladder = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 500.0, 1000.0, 1500.0, 2000.0, 5000.0, 1e4, 1e5, 1e6)
    epochs: Epochs = 100
