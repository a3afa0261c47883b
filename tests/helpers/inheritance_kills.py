"""Kills the taking over of stages at each operation on the disk in turn, and takes them again.

python -m tests.helpers.inheritance_kills SOURCE CONFIG [copy]    writes a JSON record as its last line

With `copy`, as on a disk without links.
"""

import errno
import json
import os
import shutil
import sys
from pathlib import Path

from keras_evae.config import load_config
from keras_evae.runs.run_folder import open_run_folder
from keras_evae.runs.taken_stages import shared_stages, take_stages
from tests.helpers.dataset_kills import Tripwire, fork, killed

copy_file = shutil.copyfile


def contents(stages):
    """Every file of every stage that has appeared."""
    files = (file for file in stages.rglob("*") if file.is_file() and not file.parent.name.startswith("."))
    return {str(file.relative_to(stages)): file.read_bytes() for file in sorted(files)}


def refuse_link(origin, link):
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


def take_until(folder, source, stages, last):
    tripwire = Tripwire(last)
    for name in ("mkdir", "fsync", "replace", "rename", *(["link"] if os.link is not refuse_link else [])):
        setattr(os, name, tripwire.guard(getattr(os, name)))

    def copy(origin, copied):
        half = origin.read_bytes()[: origin.stat().st_size // 2]
        tripwire(lambda: copied.write_bytes(half))
        return copy_file(origin, copied)

    shutil.copyfile = copy
    take_stages(folder, source, stages)


def each(source, config):
    """For each operation: what had appeared of a stage was whole, and in the end all is equal."""
    stages, expected = shared_stages(source, config), contents(source / "stages")
    names = [stage.name for stage in stages]
    expected = {name: content for name, content in expected.items() if Path(name).parent.name in names}
    record = {"kills": 0, "seen": [], "whole": 0, "equal": 0}
    while True:
        folder = open_run_folder(source.parent / f"killed_{record['kills'] + 1}", config)
        if not killed(fork(take_until, folder, source, stages, record["kills"] + 1)):
            return record
        record["kills"] += 1
        seen = contents(folder / "stages")
        record["seen"].append(len(seen))
        record["whole"] += len(seen) % 4 == 0 and seen.items() <= expected.items()
        take_stages(folder, source, stages)
        record["equal"] += contents(folder / "stages") == expected and not list((folder / "stages").glob(".*"))


if __name__ == "__main__":
    if sys.argv[3:] == ["copy"]:
        os.link = refuse_link
    print(json.dumps(each(Path(sys.argv[1]), load_config(sys.argv[2]))))
