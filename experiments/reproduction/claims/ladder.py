"""The losses of the validation split along the stages of a run, and where they change."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from experiments.reproduction.claims.claim import Claim, Judge, Numbers, Row

SYMBOLS = {"reconstruction_loss": "L_RC", "kl_loss": "L_KL", "hamiltonian_loss": "L_H"}


@dataclasses.dataclass(frozen=True)
class Ladder:
    """Stages of one run.

    Args:
        weight: "beta" or "gamma": what grows along it.
        stages: Rows of the table of losses.
        transitions: For the symbol of each transition that was found, its row of the table of transitions.
        data: What is known of the run and its data.
    """

    weight: str
    stages: Sequence[Row]
    transitions: dict[str, Row]
    data: Row

    def part(self, wanted: Callable[[float], bool]) -> Ladder:
        """The stages whose weight is wanted."""
        return dataclasses.replace(self, stages=[stage for stage in self.stages if wanted(stage[self.weight])])

    def losses(self, loss: str) -> list[float]:
        return [stage[f"validation_{loss}"] for stage in self.stages]

    @property
    def weights(self) -> list[float]:
        return [stage[self.weight] for stage in self.stages]

    def in_words(self, loss: str) -> str:
        values = [f"{value:.4g} ({weight:g})" for weight, value in zip(self.weights, self.losses(loss), strict=True)]
        symbol = SYMBOLS[loss]
        return f"{symbol} at ({self.weight}): " + ", ".join(values) if values else f"no stage with {symbol}"

    def interval(self, symbol: str) -> str:
        found = self.transitions[symbol]
        return f"{symbol} between {found['before']:g} and {found['after']:g}"


def ladder_of_beta(numbers: Numbers, run: str) -> Ladder | None:
    """The stages of the standard VAE, if the recipe shows them."""
    data = numbers.quantities[run]
    stages = numbers.rows("losses", run, gamma=0)
    return Ladder("beta", stages, _transitions(numbers, run), data) if data["ladder_of_beta_shown"] else None


def ladder_of_gamma(numbers: Numbers, run: str) -> Ladder | None:
    """The stages of the E-VAE from gamma = 0 on, if it has reached any."""
    data = numbers.quantities[run]
    beta = data["beta_of_ladder_of_gamma"]
    stages = numbers.rows("losses", run, beta=beta)
    return None if beta is None else Ladder("gamma", stages, _transitions(numbers, run), data)


def _transitions(numbers: Numbers, run: str) -> dict[str, Row]:
    rows = numbers.rows("transitions", run=run)
    return {row["transition"]: row for row in rows if row["before"] is not None}


def on_ladder(find: Callable[[Numbers, str], Ladder | None], judge: Callable[[Ladder], Claim]) -> Judge:
    """The judge of all runs, made of that of one ladder."""

    def judge_all(numbers: Numbers) -> list[Claim]:
        ladders = {run: find(numbers, run) for run in numbers.runs}
        return [dataclasses.replace(judge(ladder), runs=(run,)) for run, ladder in ladders.items() if ladder]

    return judge_all
