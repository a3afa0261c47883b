"""Studies behind the numbers of docs/: not installed; run from a checkout with python -m experiments.NAME."""
