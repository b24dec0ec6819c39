"""The configuration that wfx adds to a pipeline's own, and that has the last word."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

FIELDS = (
    "task_id", "hash", "native_id", "process", "tag", "name", "status", "exit", "attempt", "submit", "start", "complete",
    "realtime", "%cpu", "cpus", "peak_rss", "rchar", "wchar", "container", "workdir", "error_action",
)  # fmt: skip
# Containers see no network: a daemon's are outside of the sandbox, which has none either.
RUN_OPTIONS = {
    "docker": "--network none", "podman": "--network none --pull never", "singularity": "--net --network none",
    "apptainer": "--net --network none",
}  # fmt: skip
RUNTIMES = (
    "docker",
    "podman",
    "singularity",
    "apptainer",
    "charliecloud",
    "shifter",
    "sarus",
    "conda",
    "spack",
    "wave",
    "tower",
)


def configuration_text(message: dict[str, Any], trace: Path, outputs: Path) -> str:
    """Return the text of the configuration file."""
    cores = int(message["cores"] or len(os.sched_getaffinity(0)))
    memory = int(message["memory"] or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    containers = message["containers"]
    lines = [
        f"trace {{ enabled = true; raw = true; overwrite = true; sep = '\\t'; file = {quoted(str(trace))}",
        f"  fields = {quoted(','.join(FIELDS))} }}",
        f"executor.$local.cpus = {cores}", f"executor.$local.memory = {quoted(f'{memory} B')}",
        # A task that asks for more than there is gets what there is.
        f"process.resourceLimits = [cpus: {cores}, memory: {quoted(f'{memory} B')}]",
        f"outputDir = {quoted(str(outputs))}",
        f"workflow.output.mode = {quoted('link' if not containers else 'copy')}",
    ]  # fmt: skip
    used = runtime_of(containers)
    lines += [f"{name}.enabled = {'true' if name == used else 'false'}" for name in RUNTIMES]
    if used:
        options = RUN_OPTIONS[used]
        if used == "docker" and os.getuid():
            # Else the files of a daemon's containers are root's.
            options += f" -u {os.getuid()}:{os.getgid()}"
        lines.append(f"{used}.runOptions = {quoted(options)}")
        lines.append(f"{used}.registry = ''")
        if used in ("singularity", "apptainer"):
            lines.append(f"{used}.autoMounts = true")
        # The last selectors count, and the full name of a process counts more than all others.
        selectors = [
            f"  withName: {quoted(name)} {{ container = {quoted(image['name'])} }}"
            for name, image in containers["steps"].items()
        ]
        lines += ["process {", *selectors, "}"] if selectors else []
    return "\n".join(lines) + "\n"


def runtime_of(containers: dict[str, Any] | None) -> str:
    """Return what Nextflow calls the runtime."""
    if containers is None:
        return ""
    return "apptainer" if Path(containers["program"]).name == "apptainer" else str(containers["runtime"])


def quoted(text: str) -> str:
    """Return a text as a Groovy literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"
