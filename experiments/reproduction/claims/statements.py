"""What the paper says, statement by statement: Sections 3.1 to 3.5, Notes S1 and S2.

The rule of each statement is applied by the judge that `registry.JUDGES` has under its id.
"""

from __future__ import annotations

import dataclasses

from experiments.reproduction.claims import judge_collapse as collapse
from experiments.reproduction.claims import judge_evae as evae
from experiments.reproduction.claims import judge_vae as vae
from experiments.reproduction.claims.judge_interpolation import COMPARED_GAMMA, STEPS_BEYOND


@dataclasses.dataclass(frozen=True)
class Statement:
    """One statement of the paper.

    Args:
        id: Its name.
        section: Of the paper.
        sentence: The statement in short.
        rule: By which numbers it is decided, and from which bound on it holds.
        quantity: What the rule judges in the first place.
        paper: The paper's value, in words.
        recipe: Key of the recipe that gives the numbers.
        kind: Which runs decide it: "system" for the paper's system, "confined" for samples with edges.
    """

    id: str
    section: str
    sentence: str
    rule: str
    quantity: str
    paper: str
    recipe: str
    kind: str = "system"

    @property
    def chapter(self) -> str:
        """The first section of the paper that has the statement."""
        return self.section.partition(",")[0]


# fmt: off
STATEMENTS = (
    Statement(
        "vae-small-reconstruction", "3.1",
        "L_RC is almost zero for small beta (1e-6 to 1e-4)",
        f"L_RC at most {vae.SMALL_RECONSTRUCTION} (18 degrees between input and output) at each beta up to 1e-4",
        "largest L_RC up to beta = 1e-4",
        "almost zero", "losses",
    ),
    Statement(
        "vae-energy-of-inputs", "3.1",
        "for small beta (1e-6 to 1e-4) L_H is nearly that of the inputs",
        f"L_H within {vae.SAME_ENERGY:.0%} of that of the data at each beta up to 1e-4",
        "largest difference from L_H of the data, per cent",
        "nearly identical", "losses",
    ),
    Statement(
        "vae-rising-reconstruction", "3.1",
        "from there up to beta = 1e-2, L_RC rises and L_KL falls",
        "at each step of the ladder from beta = 1e-4 to 1e-2",
        "L_RC at beta = 1e-2 over that at 1e-4",
        "L_RC rises exponentially, L_KL falls gradually", "losses",
    ),
    Statement(
        "vae-large-reconstruction", "3.1",
        "at beta of about 1e-2 L_RC is large",
        f"L_RC at beta = 1e-2 at least {vae.LARGE_SHARE:g} of that at the largest beta",
        "L_RC at beta = 1e-2",
        "large", "losses",
    ),
    Statement(
        "vae-similar-energy", "3.1",
        "L_H behaves like L_RC as beta grows",
        f"Spearman rank correlation of both along the ladder at least {vae.SIMILAR:g}",
        "rank correlation of L_H and L_RC",
        "similar behaviour", "losses",
    ),
    Statement(
        "vae-rising-energy", "3.1",
        "L_H rises with beta, away from the energy of the data",
        "L_H higher at the largest beta than at the smallest, and there above the data",
        "rise of L_H along the ladder",
        "rises; the collapsed state is no ground state", "losses",
    ),
    Statement(
        "vae-posterior-collapse", "3.1",
        "the posterior collapses at beta of about 1e-2",
        "L_KL stays below ln 2 from a beta between 1e-3 and 1e-1 on",
        "beta_c",
        "beta about 1e-2", "losses",
    ),
    Statement(
        "vae-constant-reconstruction", "3.1",
        "beyond the collapse L_RC becomes constant",
        f"largest L_RC beyond at most {vae.PLATEAU:g} times the smallest",
        "largest L_RC beyond over the smallest",
        "constant", "losses",
    ),
    Statement(
        "vae-uniform-state", "3.1",
        "beyond the collapse it generates a uniform out-of-plane state",
        f"|m_z| of 100 generated states at least {vae.UNIFORM_MAGNETIZATION} at each beta beyond",
        "smallest |m_z| beyond the collapse",
        "all spins aligned, S1", "losses",
    ),
    Statement(
        "vae-various-states", "3.2",
        "at beta of 1e-4 and 1e-3 it generates various states, and the posterior has not collapsed",
        f"L_KL above ln 2, FFT-MSE of generated states at least {vae.VARIOUS_SHARE:g} of the largest of the ladder",
        "smallest share of the largest FFT-MSE",
        "proper range 1e-4 to 1e-2", "losses",
    ),
    Statement(
        "evae-falling-energy", "3.2",
        "L_H falls as gamma grows",
        f"lower at the end of the ladder, and nowhere above its lowest value before by over {evae.SETBACK:.0%} "
        "of the fall",
        "fall of L_H along the ladder",
        "falls", "losses",
    ),
    Statement(
        "evae-rise-of-reconstruction", "3.2",
        "L_RC hardly changes up to gamma of about 1e2, and rises beyond",
        "L_RC exceeds 1.5 times its smallest value before from a gamma between 10 and 1000 on",
        "gamma_RC",
        "gamma about 1e2", "losses",
    ),
    Statement(
        "evae-energy-below-data", "3.2",
        "beyond gamma = 1e2 the outputs lie lower in energy than the inputs",
        "L_H below that of the training data at each gamma above 100",
        "highest L_H beyond gamma = 100, above the data",
        "below the data", "losses",
    ),
    Statement(
        "evae-unrelated-outputs", "3.2",
        "at large gamma the outputs are other states than the inputs",
        f"L_RC at the largest gamma at least {evae.UNRELATED:g} of 2 - 2 |mean spin of the data|, the smallest "
        "for an output that knows nothing of its input",
        "L_RC as a share of that of an uninformed output",
        "completely different", "losses",
    ),
    Statement(
        "evae-critical-transition", "3.2",
        "at gamma of 1e3 to 1e4 L_H drops in a critical transition",
        "FFT-MSE of generated states falls by more than 30 between gamma = 300 and 30000; L_H at every stage "
        "beyond is lower than at every stage before",
        "gamma_c",
        "gamma 1e3 to 1e4, both betas", "losses",
    ),
    Statement(
        "evae-saturated-reconstruction", "3.2",
        "in this region L_RC is saturated",
        f"from the last stage before the transition on, largest L_RC at most {evae.SATURATION} times the smallest",
        "largest L_RC over the smallest",
        "saturated", "losses",
    ),
    Statement(
        "evae-rising-divergence", "3.2",
        "in this region L_KL rises",
        "L_KL at the last stage above that at the last stage before the transition",
        "L_KL at the last stage over that before",
        "rises exponentially", "losses",
    ),
    Statement(
        "states-fewer-irregularities", "3.3",
        "the Hamiltonian loss reduces local irregularities in X_Out and X'_Out",
        "mean theta lower at the largest gamma shown than at the smallest, for both",
        "mean theta of X_Out at the largest gamma shown over that at the smallest",
        "smoother maps at gamma = 1 and 100", "local_correlation",
    ),
    Statement(
        "states-theta-of-reconstructed", "3.3",
        "the distribution of theta of X_Out sharpens with gamma, and its peak moves towards zero",
        "peak and standard deviation fall at each step of the gammas shown",
        "standard deviation of theta at the largest gamma shown over that at the smallest",
        "sharper from gamma = 0 to 1 to 100", "theta",
    ),
    Statement(
        "states-theta-of-generated", "3.3",
        "the distribution of theta of X'_Out sharpens with gamma, and its peak moves towards zero",
        "peak and standard deviation fall at each step of the gammas shown",
        "standard deviation of theta at the largest gamma shown over that at the smallest",
        "sharper from gamma = 0 to 1 to 100", "theta",
    ),
    Statement(
        "states-shapes-of-skyrmions", "3.3",
        "the shapes of skyrmions become more plausible with gamma",
        "Wasserstein distance of the radii of skyrmions in X'_Out from those in the test data lower at gamma = "
        "100 than at 0, by more than both errors",
        "change of the distance of radii, sites",
        "truncated, stretched ones gone at gamma = 100", "analyse",
    ),
    Statement(
        "path-latent-vectors-found", "3.4, S1",
        "the inverse mapping finds latent vectors of both lattices",
        "each image of the targets is reached at each gamma before the collapse: L_T-O below a quarter of the "
        "distance of the two, and the same topological charges",
        "share of images that are reached",
        "L_T-O saturates", "interpolation",
    ),
    Statement(
        "path-energy-barrier", "3.4",
        "there is an energy barrier between both lattices",
        "a peak of E/N above the plateaus on each path between targets that are reached",
        "mean height of the barrier, E/N",
        "a peak", "interpolation",
    ),
    Statement(
        "path-small-difference", "3.4",
        "the energies of both lattices differ little",
        "at gamma = 0, mean difference of the plateaus below the mean height of the barrier",
        "difference of the plateaus over the height",
        "small", "interpolation",
    ),
    Statement(
        "path-sharper-barrier", "3.4",
        "the barrier sharpens with gamma",
        f"lower at gamma = {COMPARED_GAMMA:g} (or the nearest) than at gamma = 0 in each image of the targets",
        f"FWHM as a share of the path, gamma = {COMPARED_GAMMA:g} less gamma = 0",
        "sharper as gamma grows", "interpolation",
    ),
    Statement(
        "path-lower-plateaus", "3.4",
        "the energies of the plateaus fall with gamma",
        f"lower at gamma = {COMPARED_GAMMA:g} (or the nearest) than at gamma = 0 in each image of the targets",
        f"E/N of both plateaus, gamma = {COMPARED_GAMMA:g} less gamma = 0",
        "lower as gamma grows", "interpolation",
    ),
    Statement(
        "path-interstitial-gone", "3.4, S1",
        f"at R = {STEPS_BEYOND} the interstitial is still there at gamma = 0, and has gone at gamma = 100",
        f"share of the barrier left at R = {STEPS_BEYOND}: above a half at gamma = 0, below a half at gamma = "
        f"{COMPARED_GAMMA:g} (or the nearest), means over images",
        f"share of the barrier left at R = {STEPS_BEYOND} at the larger gamma",
        "still there, gone", "interpolation",
    ),
    Statement(
        "states-lower-energy", "3.4",
        "with the Hamiltonian loss, generated states are more stable",
        f"mean E/N of 100 generated states lower at gamma = {collapse.STABLE_GAMMA:g} than at gamma = 0",
        f"fall of E/N of generated states up to gamma = {collapse.STABLE_GAMMA:g}",
        "unstable states suppressed", "fft_mse",
    ),
    Statement(
        "collapse-constant-energy", "3.5",
        "beyond the transition the energy is low and constant",
        f"L_H of the stages beyond differs by at most {evae.CONSTANT:.0%} of its fall from gamma = 0",
        "range of L_H beyond as a share of its fall",
        "a low constant value", "losses",
    ),
    Statement(
        "collapse-one-state", "3.5",
        "the collapsed E-VAE generates one state only (FFT-MSE falls to zero)",
        f"at least {collapse.ZERO_RATIO:g} times lower than at gamma = 0",
        "FFT-MSE at the largest gamma",
        "zero from the transition on", "fft_mse",
    ),
    Statement(
        "collapse-one-state-in-real-space", "3.5",
        "the collapsed E-VAE generates one state only, also in real space",
        "100 generated states, each aligned with the first: mean |S - S'|^2 over sites at most "
        f"{collapse.SAME_STATE:g}",
        "largest |S - S'|^2 of aligned states",
        "one state", "collapse",
    ),
    Statement(
        "collapse-lowest-energy", "3.5",
        "that state has the lowest energy",
        f"at most {collapse.ENERGY_GAP:g} above the lowest annealed state",
        "E/N above the lowest annealed state",
        "the lowest energy", "fft_mse",
    ),
    Statement(
        "collapse-ground-state", "3.5",
        "the collapsed E-VAE generates the ground state",
        "relaxed, all states of the largest gamma have the best known E/N, to 1e-07",
        "mean E/N above the best known, relaxed",
        "the ground state", "relax",
    ),
    Statement(
        "collapse-same-energy", "3.5",
        "each training collapses to the same lowest energy",
        f"E/N after relaxation equal within {collapse.SAME_ENERGY:g}",
        "difference of E/N",
        "the same lowest energy", "collapse",
    ),
    Statement(
        "collapse-same-lattice", "3.5",
        "their states are one skyrmion lattice, differently placed",
        f"mean |S - S'|^2 over sites at most {collapse.SAME_STATE:g} after relaxation, shift and point "
        "operation, and above that as generated",
        "|S - S'|^2 of relaxed, aligned states",
        "another orientation, one lattice translated", "collapse",
    ),
    Statement(
        "collapse-depends-on-beta", "3.5",
        "the critical gamma depends on beta",
        "mean log gamma_c of two values of beta differ by more than those of the seeds of one beta do, and "
        "their intervals neither overlap nor touch",
        "decades of gamma_c between values of beta",
        "it depends on beta", "fft_mse",
    ),
    Statement(
        "collapse-at-each-beta", "3.5",
        "all cases collapse as gamma increases, those of small beta too",
        "each run has a gamma from which on FFT-MSE is more than 30 times lower than at gamma = 0",
        "runs that collapse",
        "all cases, small beta too", "fft_mse",
    ),
    Statement(
        "confined-ground-state", "3.5, S2",
        "the collapsed E-VAE generates the ground state",
        "relaxed, all states of the largest gamma have the best known E/N, to 1e-07",
        "mean E/N above the best known, relaxed",
        "lowest states for a square and other boundaries", "relax", "confined",
    ),
    Statement(
        "confined-one-state", "3.5, S2",
        "the collapsed E-VAE generates one state only (FFT-MSE falls to zero)",
        f"at least {collapse.ZERO_RATIO:g} times lower than at gamma = 0",
        "FFT-MSE at the largest gamma",
        "one state in a square", "fft_mse", "confined",
    ),
)
# fmt: on
