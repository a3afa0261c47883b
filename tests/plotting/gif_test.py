import numpy as np
from PIL import Image

from keras_evae.plotting.colors import spin_colors
from keras_evae.plotting.gif import SIDE, write_movie
from tests.helpers.states import skyrmion, uniform


def test_pictures_of_a_movie(tmp_path):
    states = np.stack((uniform((32, 64)), uniform((32, 64), (0.0, 0.0, -1.0)), skyrmion((32, 64))))
    write_movie(tmp_path / "a.gif", states, ["one", "two", "three"], seconds=0.2)
    with Image.open(tmp_path / "a.gif") as movie:
        assert movie.n_frames == 3 and movie.info["duration"] == 200 and movie.size[0] == SIDE
        for number, state in enumerate(states):
            movie.seek(number)
            # Every fourth pixel of the enlarged picture, y upwards.
            pixels = np.asarray(movie.convert("RGB"))[2:128:4, 2::4][::-1] / 255
            assert np.abs(pixels - spin_colors(state)).mean() < 0.05
