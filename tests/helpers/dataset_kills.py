"""Kills generations and resumes them, in processes forked from one that has everything loaded.

python -m tests.helpers.dataset_kills each|random FOLDER    writes a JSON record of what was found
"""

import functools
import io
import json
import os
import random
import signal
import sys
import threading
from pathlib import Path

from tqdm import tqdm

from keras_evae import files
from keras_evae.dataset import generation
from tests.helpers.dataset_cases import digest, of_size

KILLS = 10
# Short shards, so that there are many.
generate_dataset = functools.partial(generation.generate_dataset, longest_shard=4)
ensure_dataset = functools.partial(generation.ensure_dataset, longest_shard=4)

# No thread of the progress bars may hold their lock while this process forks.
tqdm.monitor_interval = 0


def fork(function, *arguments):
    """Starts a function in a process of its own and returns its number."""
    process = os.fork()
    if not process:
        code = 1
        # By default the bars of parent and child share one lock, and a killed child would never give it back.
        tqdm.set_lock(threading.RLock())
        try:
            function(*arguments)
            code = 0
        finally:
            os._exit(code)
    return process


def killed(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


class Tripwire:
    """Kills this process at the n-th operation that changes the disk."""

    def __init__(self, last):
        self.last = last

    def __call__(self, act=lambda: None):
        self.last -= 1
        if not self.last:
            act()
            os.kill(os.getpid(), signal.SIGKILL)

    def guard(self, function):
        """Kills before the operation; after it is before the next one."""

        def guarded(*arguments, **options):
            self()
            return function(*arguments, **options)

        return guarded

    def open(self, path, mode):
        if mode == "rb+":
            return open(path, mode)
        file = HalfWritten(io.FileIO(path, mode.strip("b+") + "+"))
        file.tripwire = self
        self()
        return file


class HalfWritten(io.BufferedRandom):
    def write(self, content):
        self.tripwire(lambda: (super(HalfWritten, self).write(content[: len(content) // 2]), self.flush()))
        return super().write(content)


def generate_until(path, last, size=5, workers=2):
    tripwire = Tripwire(last)
    for name in ("fsync", "replace", "unlink", "rmdir", "posix_fallocate"):
        setattr(os, name, tripwire.guard(getattr(os, name)))
    files.open = tripwire.open
    generate_dataset(path, of_size(size), workers)


def each(folder):
    """Kills at each operation in turn; records whether a file was there then, and the digest after resuming."""
    records = []
    for last in range(1, 1000):
        path = folder / str(last) / "spins.h5"
        if not killed(fork(generate_until, path, last)):
            return {"records": records, "whole": digest(path)}
        seen = digest(path) if path.exists() else None
        ensure_dataset(path, of_size(5), workers=1)
        records.append({"seen": seen, "resumed": digest(path), "left": os.listdir(path.parent)})
    raise RuntimeError("endless")


def random_moments(folder):
    """Kills one generation ten times at random operations, with one worker and with two; records the digests."""
    draw, found = random.Random(0), {}
    for workers in (1, 2):
        path, kills = folder / f"{workers}.h5", 0
        for _ in range(KILLS):
            # A shard takes four operations, and there are more than a hundred.
            kills += killed(fork(generate_until, path, draw.randint(2, 30), 400, workers))
        found[workers] = {"kills": kills, "early": path.exists()}
        there = len(list(folder.glob(f"{workers}.h5.parts/*.npz")))
        ensure_dataset(path, of_size(400), workers)
        found[workers] |= {"there": there, "digest": digest(path)}
    generate_dataset(folder / "whole.h5", of_size(400))
    return found | {"whole": digest(folder / "whole.h5")}


if __name__ == "__main__":
    mode, folder = sys.argv[1], Path(sys.argv[2])
    # Compiled before the first fork.
    generate_dataset(folder / "warm.h5", of_size(1), workers=1)
    record = {"each": each, "random": random_moments}[mode](folder)
    (folder / "record.json").write_text(json.dumps(record))
