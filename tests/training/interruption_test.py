"""Signals wait for the end of a step, once."""

import signal
import threading

import pytest

from keras_evae.training.callbacks import StopRequest


@pytest.fixture(autouse=True)
def pythons_own_handlers():
    """Some libraries that other tests import set handlers of their own."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_first_signal_is_noted_and_obeyed_later():
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.number == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            stop.obey()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_second_signal_acts_at_once():
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.number is not None
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second Ctrl-C was swallowed")


def test_signal_is_not_lost_at_the_end_of_the_block():
    with pytest.raises(KeyboardInterrupt), StopRequest():
        signal.raise_signal(signal.SIGINT)


def test_error_in_the_block_is_not_hidden_and_the_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="the error"), StopRequest():
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("the error")
    assert signal.getsignal(signal.SIGTERM) is before


def test_other_threads_take_no_signals():
    found = []

    def body():
        with StopRequest() as stop:
            found.append(stop.number)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert found == [None]
