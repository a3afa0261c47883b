"""The finished smoke run, as for the recipes."""

from tests.evaluation.conftest import smoke_run

__all__ = ["smoke_run"]
