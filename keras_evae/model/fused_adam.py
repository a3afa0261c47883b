"""Adam in one pass over the memory of each variable."""

from typing import Any

import keras
import tensorflow as tf

from keras_evae.errors import ArgumentError


@keras.saving.register_keras_serializable(package="keras_evae")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam`, whose update of a variable is one operation instead of a dozen.

    On a CPU the dozen passes over gradient, moments and variable take longer than many a layer. Numbers, state and
    saved files are those of Keras' Adam, up to rounding. For float32 on one device, without `amsgrad` and
    `gradient_accumulation_steps`; `ArgumentError` where Keras' Adam has to be taken.

    Example:

    ```python
    model.compile(optimizer=FusedAdam(1e-3))
    ```
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        for name in ("amsgrad", "gradient_accumulation_steps"):
            if getattr(self, name):
                raise ArgumentError(name, "left out; take keras.optimizers.Adam for it", getattr(self, name))

    def build(self, variables: Any) -> None:
        kinds = {keras.backend.standardize_dtype(variable.dtype) for variable in variables}
        if tf.distribute.has_strategy() or kinds - {"float32"}:
            found = "the scope of a strategy" if tf.distribute.has_strategy() else ", ".join(sorted(kinds))
            raise ArgumentError("variables", "float32 on one device; take keras.optimizers.Adam for others", found)
        super().build(variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            # Keras passes the variable of the backend.
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )
