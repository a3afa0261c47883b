"""Search of ground states by the collapse of the E-VAE (Section 3.5 of the paper): `evae-ground-state`.

bisection     which gamma to train at next, from what the trainings so far have shown
probing       training of probes, one gamma each
trials        from a trained VAE to the settled state
candidates    relaxed states of the collapsed probes, each once
anneals       slow anneals in the same CPU time
costs         CPU time of the search
results       tables, pictures, and which method wins
search        the whole search, in a folder that it goes on from
"""

from keras_evae.ground_state.search import find_ground_state

__all__ = ["find_ground_state"]
