# The names of the front door, each with its module: for type checkers, and for `__init__.py`, which reads this file.
from keras_evae.analysis.distances import fft_mse as fft_mse
from keras_evae.analysis.skyrmions import find_skyrmions as find_skyrmions
from keras_evae.analysis.topology import topological_charge as topological_charge
from keras_evae.annealing import anneal as anneal
from keras_evae.annealing import anneal_many as anneal_many
from keras_evae.annealing import relax as relax
from keras_evae.config import load_config as load_config
from keras_evae.dataset.formats.spin_files import read_spins as read_spins
from keras_evae.dataset.formats.spin_files import write_spins as write_spins
from keras_evae.dataset.thermal_averages import sample as sample
from keras_evae.evaluation.ground_state import find_ground_state as find_ground_state
from keras_evae.evaluation.recipes import evaluate as evaluate
from keras_evae.evaluation.stable_states import generate_stable as generate_stable
from keras_evae.hamiltonian import Hamiltonian as Hamiltonian
from keras_evae.minima.freezing import annealing_report as annealing_report
from keras_evae.model.evae import EVAE as EVAE
from keras_evae.monte_carlo.schedule import AnnealingSchedule as AnnealingSchedule
from keras_evae.other_codes import export_hamiltonian as export_hamiltonian
from keras_evae.other_codes import from_si as from_si
from keras_evae.plotting.spins import plot as plot
from keras_evae.runs.run import load_run as load_run
from keras_evae.terms import EnergyTerm as EnergyTerm
from keras_evae.training.recipe import train as train

__version__: str
__all__: list[str]
