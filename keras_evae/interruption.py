"""Ctrl-C and SIGTERM that wait until the training can be left without loss."""

from __future__ import annotations

import signal
import threading
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """While the block runs, the first Ctrl-C or SIGTERM is only noted; a second one acts at once.

    Outside the main thread, where Python takes no signals, nothing is noted.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()
        if self.number is not None and error[0] is None:
            self.obey()

    def obey(self) -> None:
        """Does what the signal would have done at once."""
        number, self.number = self.number, None
        self._restore()
        if number is not None:
            signal.raise_signal(number)

    def _note(self, number: int, frame: object) -> None:
        self.number = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
