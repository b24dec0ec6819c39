"""A program of its own: make conda environments, with the network. It runs conda and nothing of the workflow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

TAIL = 4


def make(order: dict[str, Any], environment: dict[str, str]) -> str:
    """Make one environment where Snakemake looks for it, as Snakemake makes it; return why not, or nothing."""
    address, flag = Path(environment["address"]), Path(environment["flag"])
    if flag.exists():
        return ""
    shutil.rmtree(address, ignore_errors=True)
    address.parent.mkdir(parents=True, exist_ok=True)
    kind = "pin.txt" if environment["pin"] else "yaml"
    source = address.with_name(f"{address.name}.{kind}")
    shutil.copyfile(environment["pin"] or environment["file"], source)
    words = ["create", "--yes"] if environment["pin"] else ["env", "create"]
    command = [
        order["conda"], *words, "--quiet", "--no-default-packages", "--file", str(source), "--prefix", str(address),
    ]  # fmt: skip
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        shutil.rmtree(address, ignore_errors=True)
        return " | ".join([line.strip() for line in done.stdout.splitlines() if line.strip()][-TAIL:])
    listed = _run([order["conda"], "list", "--explicit", "--md5", "--prefix", str(address)])
    target = Path(order["lists"])
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{Path(environment['name']).stem}-{address.name.strip('_')[:8]}.txt").write_text(listed.stdout)
    flag.touch()
    return ""


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )


def main() -> None:
    """Carry out one order from stdin; what conda prints goes to stderr."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        order = json.loads(line)
        answer: dict[str, Any] = {"made": len(order["environments"])}
        for environment in order["environments"]:
            why = make(order, environment)
            if why:
                answer = {"problem": {
                    "kind": "engine", "what": "conda does not make an environment", "where": environment["name"], "why": why,
                }}  # fmt: skip
                break
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
