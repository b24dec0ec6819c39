"""Read crates: one of 100,000 entities, and every hostile one that the tests know, each with its wall time."""

import importlib.util
import json
import os
import subprocess
import time
from pathlib import Path

from pairs import WFX, clean_home, folder

ENTITIES, GOAL = 100_000, 3.0
HOSTILE_GOAL = 1.0
HOSTILE = Path(__file__).resolve().parents[1] / "tests/endtoend/test_hostile_crates.py"


def large(place: Path) -> Path:
    files = [
        {"@id": f"data/{n}.txt", "@type": "File", "name": f"file {n}", "contentSize": "12"} for n in range(ENTITIES)
    ]
    graph = [
        {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"},
         "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"}},
        {"@id": "./", "@type": "Dataset", "hasPart": [{"@id": f["@id"]} for f in files], "mainEntity": {"@id": "w.cwl"}},
        {"@id": "w.cwl", "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"]},
        *files,
    ]  # fmt: skip
    place.mkdir()
    (place / "ro-crate-metadata.json").write_text(json.dumps({"@graph": graph}))
    (place / "w.cwl").write_text("")
    return place


def took(env: dict[str, str], *arguments: object) -> float:
    """Return the least wall time of three, whatever the command says of the crate."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([WFX, *map(str, arguments)], env=env, capture_output=True, check=False)
        times.append(time.perf_counter() - began)
    return min(times)


specification = importlib.util.spec_from_file_location("hostile", HOSTILE)
assert specification is not None
assert specification.loader is not None
hostile = importlib.util.module_from_spec(specification)
specification.loader.exec_module(hostile)

with folder() as work:
    env = {**os.environ, **clean_home(work / "home")}
    crate = large(work / "large")
    print(f"inspect a crate of {ENTITIES} entities: {took(env, 'inspect', crate):.2f} s (goal {GOAL})", flush=True)
    for number, (name, build) in enumerate(hostile.CRATES.items()):
        place = work / str(number)
        place.mkdir()
        time_of_it = took(env, "run", build(place), "-o", place / "out")
        print(f"run {name}: {time_of_it:.2f} s (goal {HOSTILE_GOAL})", flush=True)
