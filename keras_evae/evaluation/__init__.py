"""Recipes on trained runs: each makes one figure of the paper, or an analysis, with its tables and numbers."""

from keras_evae.evaluation.recipes import RECIPES, evaluate, evaluate_file
