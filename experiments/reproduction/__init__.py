"""The paper's statements beside trained runs: `python -m experiments.reproduction`.

claims     what the paper says, and the judges of numbers
results    the recipes of `keras_evae.evaluation` on the runs
seeds      the claims of several runs in one row each
costs      operations of the network, and what the paper's training takes
collect    tables of many runs in two long CSV files
page       the table of verdicts, pictures and numbers in docs/
"""
