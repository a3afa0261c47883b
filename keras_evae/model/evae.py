"""The energy-minimisation variational autoencoder (E-VAE) as a Keras model."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from keras_evae.errors import as_integer
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.lattice import as_shape
from keras_evae.layers import LARGEST_LOG_VARIANCE, Sampling
from keras_evae.model import polyphase
from keras_evae.model.devices import fast_form_is_fastest
from keras_evae.model.keras_switches import SpinModel, check_scope, check_types
from keras_evae.model.latent_priors import normal_vectors
from keras_evae.model.losses import hamiltonian_loss, input_weights, kl_loss, reconstruction_loss
from keras_evae.model.networks import build_decoder, build_encoder

# In float16 the gradients of small losses vanish unless the loss is scaled, which it is not.
# float64 serves comparisons to the last digits; the configuration does not offer it.
PRECISIONS = ("float32", "mixed_bfloat16", "float64")


@keras.saving.register_keras_serializable(package="keras_evae")
class EVAE(SpinModel):
    """Variational autoencoder whose loss contains the energy of its output.

    `loss = L_RC + beta L_KL + gamma L_H` (Equation 2 of the paper). With `gamma=0` it is a standard VAE;
    a small gamma removes local noise from its states; beyond a critical gamma it generates only one state,
    the ground state. `beta` and `gamma` are variables of the model: assign to them to change the loss of a
    model that is already compiled and traced.

    Reference:
        - Kwon et al., Magnetic State Generation using Hamiltonian Guided Variational Autoencoder with Spin
          Structure Stabilization, Advanced Science 8, 2004795 (2021).

    Args:
        lattice_shape: `(y, x)`, each side a multiple of 16.
        latent_dim: Size of the latent space.
        hamiltonian: Energy of the spins; its boundary also sets the padding of the convolutions, and
            its mask where the decoder gives zero vectors.
        beta: Weight of the Kullback-Leibler loss.
        gamma: Weight of the Hamiltonian loss.
        seed: Seed of the initial weights and of the sampling noise.
        phases: Compute training and evaluation in the form of `model.polyphase`: equal up to rounding, and faster
            on a CPU. False: call the encoder and decoder layer by layer. True needs one device and float32. `"auto"`:
            what is faster where the model is made, see `model.devices`.
        precision: Keras' dtype policy of the layers: `float32`, `mixed_bfloat16`, or `float64` for comparisons. With
            `mixed_bfloat16` weights, latent vectors, output spins and losses stay float32.
        largest_log_variance: Bound of the posteriors' log-variances in L_KL and in the noise, see `losses.kl_loss`.
        dense_units: Width of the encoder's first dense layer; None: that of the flattened features before it, which is
            3072 at 128 x 128 and grows with the lattice. Its parameters are the product of both.
        generated_from: Gamma from which on every second latent vector of a training step is drawn from the standard
            normal. L_RC is then the mean over the others, while L_H and the statistics of the batch normalisations are
            also those of generated states, which lie where no posterior does. None: never, as in the paper.
        replicas: Replicas that share each batch, `keras_evae.training.replicas.Replicas`; None for one device.

    Built in the scope of a `tf.distribute` strategy with `replicas=Replicas(strategy)`, the model trains on all of
    them: give `fit` and `evaluate` the batches of `keras_evae.training.replicas.share_batches`.

    Example:

    ```python
    model = EVAE(lattice_shape=(64, 64), hamiltonian=Hamiltonian(), beta=1e-3)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    model.fit(spins, batch_size=100, epochs=10)
    model.gamma.assign(1e3)
    model.fit(spins, batch_size=100, epochs=10)
    states = model.generate(100, seed=0)
    ```
    """

    def __init__(
        self,
        lattice_shape: tuple[int, int] = (128, 128),
        latent_dim: int = 100,
        hamiltonian: Hamiltonian | None = None,
        beta: float = 1e-3,
        gamma: float = 0.0,
        seed: int = 0,
        phases: bool | Literal["auto"] = "auto",
        precision: str = "float32",
        largest_log_variance: float = LARGEST_LOG_VARIANCE,
        dense_units: int | None = None,
        generated_from: float | None = None,
        replicas: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if precision not in PRECISIONS:
            raise ValueError(f"`precision` must be one of {PRECISIONS}. Received: precision={precision!r}")
        check_types(self.dtype_policy.name, precision)
        self._share = replicas
        self.replicas = 1 if replicas is None else replicas.count
        check_scope(self.replicas)
        if phases is True and (self.replicas > 1 or precision != "float32"):
            raise ValueError(
                f"`phases=True` needs one device and float32; set phases=False. "
                f"Received: precision={precision} and {self.replicas} replicas"
            )
        self._given_phases = phases
        self.phases = fast_form_is_fastest(precision, self.replicas) if phases == "auto" else phases
        self.precision = precision
        self.lattice_shape = as_shape("lattice_shape", lattice_shape)
        self.latent_dim = latent_dim = as_integer("latent_dim", latent_dim, 1)
        self.dense_units = dense_units = dense_units and as_integer("dense_units", dense_units, 1)
        self.generated_from = generated_from
        self.hamiltonian = hamiltonian or Hamiltonian()
        self.hamiltonian.check_lattice(self.lattice_shape)
        self.seed = seed = as_integer("seed", seed, 0)
        encoder_seed, decoder_seed, noise_seed = (int(s) for s in np.random.SeedSequence(seed).generate_state(3))
        periodic = self.hamiltonian.periodic
        synchronized = self.replicas > 1
        with _layer_precision(precision):
            self.encoder = build_encoder(
                self.lattice_shape, latent_dim, periodic, encoder_seed, synchronized, dense_units
            )
            self.decoder = build_decoder(
                self.lattice_shape, latent_dim, periodic, decoder_seed, synchronized, self.hamiltonian.mask
            )
        self.sampling = Sampling(noise_seed, largest_log_variance, name="sampling")
        self.beta = self._loss_weight("beta", beta)
        self.gamma = self._loss_weight("gamma", gamma)
        self.loss_metrics = {
            name: keras.metrics.Mean(name=name)
            for name in ("loss", "reconstruction_loss", "kl_loss", "hamiltonian_loss")
        }
        self._decode_graph = tf.function(
            lambda latent: self.run_decoder(latent, training=False), [tf.TensorSpec((None, latent_dim), tf.float32)]
        )
        self._encode_graph = tf.function(
            lambda spins: self.run_encoder(spins, training=False),
            [tf.TensorSpec((None, *self.lattice_shape, 3), tf.float32)],
        )
        self.built = True

    def _loss_weight(self, name: str, value: float) -> keras.Variable:
        if not value >= 0:
            raise ValueError(f"`{name}` must be a non-negative number. Received: {name}={value}")
        return self.add_weight(shape=(), initializer=keras.initializers.Constant(value), trainable=False, name=name)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.loss_metrics.values())

    def encode(self, spins: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and log-variance of the posterior, each `(n, latent_dim)`, of spins `(n, y, x, 3)`."""
        return self.encoder(spins, training=False)

    def decode(self, z: Any) -> tf.Tensor:
        """Unit spins `(n, y, x, 3)` of latent vectors `(n, latent_dim)`; differentiable in `z`."""
        return self.decoder(z, training=False)

    def generate(self, n: int, seed: int | None = None, batch_size: int = 100) -> np.ndarray:
        """Generates states from latent vectors drawn from the standard normal (X'_out of the paper).

        Args:
            n: Number of states.
            seed: Seed of the latent vectors; None draws new ones at each call.
            batch_size: States that are decoded at once.

        Returns:
            `(n, y, x, 3)` float32 array of unit spins.
        """
        return self.decode_many(normal_vectors(n, self.latent_dim, seed), batch_size)

    def decode_many(self, latent: np.ndarray, batch_size: int = 100) -> np.ndarray:
        """Spins `(n, y, x, 3)` float32 of any number of latent vectors `(n, latent_dim)`, `batch_size` at once.

        Computed in the form that training uses; no gradient passes.
        """
        latent = np.asarray(latent, np.float32)
        batches = [latent[start : start + batch_size] for start in range(0, len(latent), batch_size)]
        return np.concatenate([self._decode_graph(batch).numpy() for batch in batches])

    def encode_quickly(self, spins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and log-variance of `encode` as arrays, computed in the form that training uses."""
        mean, log_variance = self._encode_graph(np.asarray(spins, np.float32))
        return mean.numpy(), log_variance.numpy()

    def call(self, spins: Any, training: bool = False) -> Any:
        """Output spins (X_out of the paper) of input spins, through a sampled latent vector."""
        posterior = self.encoder(spins, training=training)
        return self.decoder(self.sampling(posterior), training=training)

    def run_encoder(self, spins: Any, training: bool) -> Any:
        """Mean and log-variance in the form that training uses: phases, or layer by layer."""
        if self.phases:
            return polyphase.encode(self.encoder, spins, self.hamiltonian.periodic, training)
        return self.encoder(spins, training=training)

    def run_decoder(self, latent: Any, training: bool) -> Any:
        """Spins in the form that training uses: phases, or layer by layer."""
        if self.phases:
            return polyphase.decode(self.decoder, latent, self.hamiltonian.periodic, training)
        return self.decoder(latent, training=training)

    def _loss_terms(self, spins: Any, training: bool, share: Any = None) -> dict[str, Any]:
        """The named loss terms and their weighted sum, for `train_step` and `test_step` alike."""
        posterior = mean, log_variance = self.run_encoder(spins, training)
        weights = None
        if training and self.generated_from is not None:
            size = share.batch_size if share else tf.shape(spins)[0]
            weights = input_weights(size, self.gamma.value >= self.generated_from)[share.rows if share else slice(None)]
            # Mean 0 and log-variance 0: the standard normal.
            posterior = tuple(tf.where(weights[:, None] > 0, part, 0.0) for part in posterior)
        outputs = self.run_decoder(self.sampling(posterior, share=share), training)
        reconstruction = reconstruction_loss(spins, outputs, self.hamiltonian.mask, weights)
        kl = kl_loss(mean, log_variance, self.sampling.largest_log_variance)
        energy = hamiltonian_loss(self.hamiltonian, outputs)
        return {
            "loss": reconstruction + self.beta * kl + self.gamma * energy,
            "reconstruction_loss": reconstruction,
            "kl_loss": kl,
            "hamiltonian_loss": energy,
        }

    def train_step(self, data: Any) -> dict[str, Any]:
        spins, share, count = self._own_spins(data)
        with tf.GradientTape() as tape:
            terms = self._loss_terms(spins, training=True, share=share)
            # The optimizer sums over the replicas, each of which sees an equal part of the batch.
            loss = terms["loss"] / self.replicas
        # Biases before a batch normalisation do not matter for the loss.
        variables = [variable.value for variable in self.trainable_variables]
        gradients = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        if self._share:
            gradients = self._share.clip(gradients, self.optimizer.global_clipnorm)
        if variables:
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        # A loss can be finite where its gradient or the batch normalisation's statistics are not.
        statistics = [variable.value for variable in self.non_trainable_variables]
        terms["loss"] = _nan_unless_finite(terms["loss"], [*gradients, *statistics])
        return self._update_metrics(terms, count)

    def test_step(self, data: Any) -> dict[str, Any]:
        spins, share, count = self._own_spins(data)
        return self._update_metrics(self._loss_terms(spins, training=False, share=share), count)

    def _own_spins(self, data: Any) -> tuple[Any, Any, Any]:
        """The spins that this replica works on, their share of the batch, None if it is all, and how many count."""
        spins = self.spins_of_batch(data)
        share = self._share.of_batch(spins) if self._share else None
        return (spins, None, tf.shape(spins)[0]) if share is None else (share.of(spins), share, share.count)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Nothing: with a strategy, Keras would take a batch out of the data to build a model that is built already."""

    def _update_metrics(self, terms: dict[str, Any], count: Any) -> dict[str, Any]:
        # Weighted by the batch size: the last batch of a split may be smaller than the others.
        for name, metric in self.loss_metrics.items():
            metric.update_state(terms[name], sample_weight=tf.cast(count, tf.float32))
        shape = self._share.result_shape if self._share else ()
        return {name: tf.reshape(metric.result(), shape) for name, metric in self.loss_metrics.items()}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "lattice_shape": self.lattice_shape,
            "latent_dim": self.latent_dim,
            "hamiltonian": self.hamiltonian.to_config(),
            "beta": float(self.beta.numpy()),
            "gamma": float(self.gamma.numpy()),
            "seed": self.seed,
            "phases": self._given_phases,
            "precision": self.precision,
            "largest_log_variance": self.sampling.largest_log_variance,
            **({} if self.dense_units is None else {"dense_units": self.dense_units}),
            **({} if self.generated_from is None else {"generated_from": self.generated_from}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> EVAE:
        return cls(**{**config, "hamiltonian": Hamiltonian(**config["hamiltonian"])})


def _nan_unless_finite(loss: tf.Tensor, witnesses: Sequence[Any]) -> tf.Tensor:
    """The loss if all witnesses are finite, else NaN, which whoever watches the losses sees at this step."""
    # NaN and infinity survive a sum: one pass, and nothing is written.
    total = tf.add_n([tf.reduce_sum(tf.cast(witness, tf.float32)) for witness in witnesses])
    return tf.where(tf.math.is_finite(total), loss, tf.constant(math.nan, loss.dtype))


@contextlib.contextmanager
def _layer_precision(policy: str) -> Iterator[None]:
    """Keras' dtype policy of the layers that are made in the block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
