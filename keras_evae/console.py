"""How the commands speak: lines, tables, durations and bars of progress; an error as one line and an exit code.

Exit codes: 0 done, 2 bad configuration, 3 bad data, 4 mismatch, 5 disk or memory, 6 locked by another process,
7 numerical, 130 and 143 stopped, 141 nobody reads the output any more; 1 for anything else.
"""

import csv
import io
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tqdm import TqdmWarning, tqdm

from keras_evae.errors import DiskError, EVAEError, one_line


def run_command(command: Callable[[], None]) -> int:
    """Runs a command and returns its exit code; what a user can mend is said in one line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[_Lines(sys.stdout)])
    signal.signal(signal.SIGTERM, _terminate)
    try:
        command()
    except EVAEError as error:
        return _fail(str(error), error.exit_code)
    except (_Unwritten, BrokenPipeError) as error:
        # What was written and not read is dropped when Python ends, without a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        cause = error.__cause__ or error
        if isinstance(cause, BrokenPipeError):
            return 141
        return _fail(f"standard output: {cause}; finished work is kept", DiskError.exit_code)
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        return _fail(f"{error.filename or 'disk'}: {reason}; finished work is kept", DiskError.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted; finished work is kept, the same command goes on from there", 130)
    except _Terminated:
        return _fail("terminated; finished work is kept, the same command goes on from there", 143)
    return 0


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of text under a header, in aligned columns."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def format_csv(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """The content of a CSV file, with all digits."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([header, *rows])
    return stream.getvalue().encode()


def format_seconds(seconds: float) -> str:
    """A duration in the unit that a reader would choose."""
    for unit, length in (("days", 86400.0), ("hours", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def in_notebook() -> bool:
    """Whether a kernel of Jupyter runs this process."""
    return "ipykernel.zmqshell" in sys.modules


def progress_bar(iterable: Iterable | None = None, description: str = "", total: float | None = None, **options: Any):
    """A bar of tqdm for what takes more than a second, which leaves nothing behind.

    In a notebook it is a widget where ipywidgets is installed, and text elsewhere. Where the output is neither a
    terminal nor a notebook nothing moves.
    """
    with warnings.catch_warnings():
        # Without widgets the text serves as well.
        warnings.simplefilter("ignore", TqdmWarning)
        from tqdm.auto import tqdm as kind
    watched = False if in_notebook() else None
    return kind(iterable, description, total, **{"leave": False, "delay": 1, "disable": watched, **options})


def _fail(message: str, exit_code: int) -> int:
    # Bars of progress that an error has left standing would share the line.
    for bar in list(getattr(tqdm, "_instances", ())):
        bar.leave = False
        bar.close()
    sys.stderr.write(f"error: {one_line(message)}\n")
    return exit_code


class _Unwritten(BaseException):
    """Standard output is closed, as by `| head -1`, or its disk is full: no error for a block that handles files."""


class _Lines(logging.StreamHandler):
    """Log lines on a stream; ends the command when it takes no more, as other programs end."""

    def handleError(self, record: logging.LogRecord) -> None:
        if isinstance(error := sys.exc_info()[1], OSError):
            raise _Unwritten from error
        super().handleError(record)


class _Terminated(BaseException):
    """SIGTERM, raised where the program stands so that it cleans up as for Ctrl-C."""


def _terminate(signal_number: int, frame: object) -> None:
    raise _Terminated
