"""Run folders as an interrupted run or another version of the package has left them."""

import dataclasses
import hashlib
import json


def record_version(folder, version):
    """As another version of the package has left it; those before 0.1.0 recorded none."""
    file = folder / "environment.json"
    environment = json.loads(file.read_text()) | {"training_version": version}
    if version is None:
        del environment["training_version"]
    file.write_text(json.dumps(environment))
    # As of a folder whose files were changed on purpose.
    (folder / "manifest.sha256").unlink(missing_ok=True)


def write_stage(run, stage, config=None):
    """A stage as far as it can be known without the network; `config` decided its weights."""
    folder = run / "stages" / stage.name
    folder.mkdir()
    record = {**dataclasses.asdict(stage), "metrics": {}, "config": config or {}}
    files = {"model.weights.h5": stage.name * 1000, "metrics.json": json.dumps(record), "history.csv": "epoch,loss\n"}
    for name, text in files.items():
        (folder / name).write_text(text)
    lines = [f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in files.items()]
    (folder / "checksums.sha256").write_text("".join(lines))
