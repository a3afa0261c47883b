"""Movies of generated states and of an interpolation."""

import numpy as np
from PIL import Image

from keras_evae.evaluation import movies
from keras_evae.evaluation.stage_selection import ladder_of_gamma
from keras_evae.minima.interstitial import Targets
from keras_evae.model.latent_inversion import reconstruct_mean
from tests.helpers.states import skyrmion, uniform


def test_a_lattice_without_room_for_the_targets_gets_one_movie(smoke_run, tmp_path, caplog):
    section = movies.make_movie([smoke_run], tmp_path)
    with Image.open(tmp_path / "movie_gamma.gif") as movie:
        assert movie.n_frames == len(ladder_of_gamma(smoke_run))
    assert any(note.startswith("no movie of an interpolation: ") for note in section.notes)
    assert not (tmp_path / "movie_interpolation.gif").exists()
    caplog.set_level("INFO")
    section.publish(tmp_path, tables=False)
    assert "movie.json" in caplog.text


def test_interpolation_between_the_reconstructed_targets(smoke_run, tmp_path, monkeypatch):
    ends = np.stack([skyrmion(smoke_run.shape, radius=4.0), uniform(smoke_run.shape)])
    monkeypatch.setattr(movies, "make_targets", lambda hamiltonian, shape: Targets(ends, 0, 12.0, 1e-7))
    drawn = {}
    monkeypatch.setattr(movies, "write_movie", lambda path, states, *_: drawn.setdefault(path.name, states))
    movies.make_movie([smoke_run], tmp_path)
    stage = min(ladder_of_gamma(smoke_run), key=lambda stage: abs(stage.gamma - movies.COMPARED_GAMMA))
    expected = reconstruct_mean(movies.load_stage(smoke_run, stage), ends.astype(np.float32))
    shown = drawn["movie_interpolation.gif"]
    assert len(shown) == movies.POINTS
    np.testing.assert_allclose(shown[[0, -1]], expected, atol=1e-5)
