import numpy as np

from keras_evae.evaluation import ladders


def test_generated_states_are_the_same_in_pieces(smoke_run, monkeypatch):
    monkeypatch.setattr(ladders, "BATCH", 3)
    pieces = list(ladders.stream_generated(smoke_run, smoke_run.stages[1], 7))
    assert [len(piece) for piece in pieces] == [3, 3, 1]
    whole = ladders.generate(smoke_run, smoke_run.stages[1], 7)
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-3)


def test_the_whole_split_goes_through_in_pieces(smoke_run, monkeypatch):
    monkeypatch.setattr(ladders, "BATCH", 15)
    assert [part.shape for part in ladders.stream_split(smoke_run, "test")] == [(15, 32, 32, 3), (5, 32, 32, 3)]
    outputs = np.concatenate(list(ladders.stream_reconstructed(smoke_run, smoke_run.stages[0], "test")))
    assert outputs.shape == (20, 32, 32, 3)
    np.testing.assert_allclose(np.linalg.norm(outputs, axis=-1), 1.0, atol=1e-5)
