"""What the paper says, statement by statement, with its values: Sections 3.1 to 3.5, Notes S1 and S2.

Each statement is decided by the claims of one recipe of `keras_evae.evaluation` that have this sentence, or, for what
another page shows, by nothing here.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Statement:
    """One statement of the paper.

    Args:
        section: Of the paper.
        sentence: The statement in short; that of the claims which decide it.
        paper: The paper's value, in words.
        recipe: Key of the recipe that gives the claims; empty where another page has them.
        runs: Which runs decide it: "system" for the paper's system, "confined" for samples with edges, "changed" for
            runs of the paper's system with one thing changed.
        link: Another page that shows it.
    """

    section: str
    sentence: str
    paper: str
    recipe: str
    runs: str = "system"
    link: str = ""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure of the paper, and the picture that is made like it.

    Args:
        number: In the paper.
        recipe: Which makes it.
        picture: How the name of its file begins and ends; of several runs the first is shown.
        paper: What the paper shows there.
    """

    number: str
    recipe: str
    picture: tuple[str, str]
    paper: str


STATEMENTS = (
    Statement("3.1", "L_RC is almost zero for small beta (1e-6 to 1e-4)", "almost zero", "losses"),
    Statement("3.1", "for small beta (1e-6 to 1e-4) L_H is nearly that of the inputs", "nearly identical", "losses"),
    Statement(
        "3.1",
        "from there up to beta = 1e-2, L_RC rises and L_KL falls",
        "L_RC rises exponentially, L_KL falls gradually",
        "losses",
    ),
    Statement("3.1", "at beta of about 1e-2 L_RC is large", "large", "losses"),
    Statement("3.1", "L_H behaves like L_RC as beta grows", "similar behaviour", "losses"),
    Statement(
        "3.1",
        "L_H rises with beta, away from the energy of the data",
        "rises; the collapsed state is no ground state",
        "losses",
    ),
    Statement("3.1", "the posterior collapses at beta of about 1e-2", "beta about 1e-2", "losses"),
    Statement("3.1", "beyond the collapse L_RC becomes constant", "constant", "losses"),
    Statement(
        "3.1", "beyond the collapse it generates a uniform out-of-plane state", "all spins aligned, S1", "losses"
    ),
    Statement(
        "3.2",
        "at beta of 1e-4 and 1e-3 it generates various states, and the posterior has not collapsed",
        "proper range 1e-4 to 1e-2",
        "losses",
    ),
    Statement("3.2", "L_H falls as gamma grows", "falls", "losses"),
    Statement("3.2", "L_RC hardly changes up to gamma of about 1e2, and rises beyond", "gamma about 1e2", "losses"),
    Statement("3.2", "beyond gamma = 1e2 the outputs lie lower in energy than the inputs", "below the data", "losses"),
    Statement("3.2", "at large gamma the outputs are other states than the inputs", "completely different", "losses"),
    Statement(
        "3.2", "at gamma of 1e3 to 1e4 L_H drops in a critical transition", "gamma 1e3 to 1e4, both betas", "losses"
    ),
    Statement("3.2", "in this region L_RC is saturated", "saturated", "losses"),
    Statement("3.2", "in this region L_KL rises", "rises exponentially", "losses"),
    Statement(
        "3.3",
        "the Hamiltonian loss reduces local irregularities in X_Out and X'_Out",
        "smoother maps at gamma = 1 and 100",
        "local_correlation",
    ),
    Statement(
        "3.3",
        "the distribution of theta of X_Out sharpens with gamma, and its peak moves towards zero",
        "sharper from gamma = 0 to 1 to 100",
        "theta",
    ),
    Statement(
        "3.3",
        "the distribution of theta of X'_Out sharpens with gamma, and its peak moves towards zero",
        "sharper from gamma = 0 to 1 to 100",
        "theta",
    ),
    Statement(
        "3.3",
        "the shapes of skyrmions become more plausible with gamma",
        "truncated, stretched ones gone at gamma = 100",
        "analyse",
    ),
    Statement(
        "3.4, S1", "the inverse mapping finds latent vectors of both lattices", "L_T-O saturates", "interpolation"
    ),
    Statement("3.4", "there is an energy barrier between both lattices", "a peak", "interpolation"),
    Statement("3.4", "the energies of both lattices differ little", "small", "interpolation"),
    Statement("3.4", "the barrier sharpens with gamma", "sharper as gamma grows", "interpolation"),
    Statement("3.4", "the energies of the plateaus fall with gamma", "lower as gamma grows", "interpolation"),
    Statement(
        "3.4, S1",
        "at R = 2 the interstitial is still there at gamma = 0, and has gone at gamma = 100",
        "still there, gone",
        "interpolation",
    ),
    Statement(
        "3.4", "with the Hamiltonian loss, generated states are more stable", "unstable states suppressed", "fft_mse"
    ),
    Statement("3.5", "beyond the transition the energy is low and constant", "a low constant value", "losses"),
    Statement(
        "3.5",
        "the collapsed E-VAE generates one state only (FFT-MSE falls to zero)",
        "zero from the transition on",
        "fft_mse",
    ),
    Statement("3.5", "the collapsed E-VAE generates one state only, also in real space", "one state", "collapse"),
    Statement("3.5", "that state has the lowest energy", "the lowest energy", "fft_mse"),
    Statement("3.5", "the collapsed E-VAE generates the ground state", "the ground state", "relax"),
    Statement("3.5", "each training collapses to the same lowest energy", "the same lowest energy", "collapse"),
    Statement(
        "3.5",
        "their states are one skyrmion lattice, differently placed",
        "another orientation, one lattice translated",
        "collapse",
    ),
    Statement("3.5", "The critical gamma depends on beta", "it depends on beta", "fft_mse"),
    Statement(
        "3.5", "All cases collapse as gamma increases, those of small beta too", "all cases, small beta too", "fft_mse"
    ),
    Statement(
        "3.5, S2",
        "the collapsed E-VAE generates the ground state",
        "lowest states for a square and other boundaries",
        "relax",
        "confined",
        "geometry.md",
    ),
    Statement(
        "3.5, S2",
        "the collapsed E-VAE generates one state only (FFT-MSE falls to zero)",
        "one state in a square",
        "fft_mse",
        "confined",
        "geometry.md",
    ),
)

FIGURES = (
    Figure(
        "2",
        "losses",
        ("losses", ".png"),
        "L_RC, L_KL and L_H after each stage against beta (A) and gamma (B), training and validation data. L_RC is "
        "almost zero up to beta = 1e-4 and constant beyond 1e-2. It rises again beyond gamma = 1e2; at gamma = 1e3 to "
        "1e4 L_H drops while L_KL rises.",
    ),
    Figure(
        "S1",
        "reconstructions",
        ("reconstructions", ".png"),
        "X_Out for several beta: copies of X_In at small beta, one out-of-plane domain beyond the posterior collapse.",
    ),
    Figure(
        "3A",
        "local_correlation",
        ("local_correlation", ".png"),
        "X_In, X_Out and X'_Out beside maps of cos(theta) for gamma = 0, 1 and 100: the noise fades, and "
        "truncated or stretched skyrmions disappear.",
    ),
    Figure(
        "3B",
        "theta",
        ("theta", ".png"),
        "Densities of theta for X_Out and X'_Out: sharper, and nearer to zero, from gamma = 0 to 1 to 100.",
    ),
    Figure(
        "4A and 4B",
        "interpolation",
        ("interpolation", ".png"),
        "The inverse mapping, and the energy on the way from the lattice with an interstitial to the perfect one: the "
        "peak sharpens and the plateaus sink as gamma grows.",
    ),
    Figure(
        "4C",
        "interpolation",
        ("interpolation", "_states.png"),
        "Decoded states near the peak for gamma = 0 and 100: at R = 2 the interstitial is still there at gamma = 0, "
        "and has vanished at gamma = 100.",
    ),
    Figure(
        "5A",
        "collapse",
        ("collapse", ".png"),
        "X'_Out at gamma = 500, 1000, 1500, 2000 and 5000 with beta = 1e-3 from two trainings: beyond the transition "
        "each gives one perfect skyrmion lattice, in another place and direction.",
    ),
    Figure(
        "5B",
        "fft_mse",
        ("fft_mse", ".png"),
        "Mean squared error between Fourier transforms of S_z of 100 generated states: zero beyond a gamma that "
        "depends on beta, in both trainings.",
    ),
)
