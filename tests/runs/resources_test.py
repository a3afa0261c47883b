"""What a run needs at least, and that what cannot fit is refused before any work."""

import pytest

from keras_evae.config import load_config
from keras_evae.config_sections import NetworkConfig
from keras_evae.errors import ResourceError
from keras_evae.model.evae import EVAE
from keras_evae.runs.from_config import check_resources
from keras_evae.runs.resources import parameters
from tests.helpers.commands import run_python, script_of


@pytest.mark.parametrize(("shape", "latent_dim", "dense_units"), [((64, 64), 100, None), ((32, 96), 7, 200)])
def test_weights_are_those_of_the_model(shape, latent_dim, dense_units):
    network = NetworkConfig(latent_dim=latent_dim, dense_units=dense_units)
    count = EVAE(shape, latent_dim, dense_units=dense_units).count_params()
    # Apart from convolutions, biases and normalisations: some 100,000.
    assert 0 < count - parameters(shape, network) < 150_000


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dataset.shape=[4096,4096]", "memory: training .* million weights"),
        ("training.batch_size=30000", "memory: training .* batches of 30000 states need"),
        ("dataset.train=90000000", "the dataset and its shards need .* GB, found"),
        ("network={latent_dim: 1000000, dense_units: 1000000}", "memory: training"),
    ],
)
def test_what_cannot_fit_is_refused_in_one_line(tmp_path, monkeypatch, override, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ResourceError, match=message) as error:
        check_resources(load_config("vae", [override]), "runs/x")
    assert error.value.exit_code == 5 and "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_command_refuses_before_tensorflow(tmp_path):
    code = script_of("evae-train").replace("sys.exit(main())", "code = main(); assert 'tensorflow' not in sys.modules")
    options = "--config", "vae", "--set", "dataset.shape=[4096,4096]"
    result = run_python(tmp_path, "-c", f"{code}; sys.exit(code)", *options)
    assert result.returncode == 5 and result.stderr.startswith("error: memory: ") and result.stderr.count("\n") == 1
