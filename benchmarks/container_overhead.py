"""What a step in a container costs over cwltool's own step with the same runtime.

    .venv/bin/python benchmarks/container_overhead.py [STEPS] [RUNTIME...]

Both run the same chain of tools on the same image, loaded before; the chain is run once short and once long, and the
difference of the two is what the steps cost: starting up counts on neither side. Goal: at most 5 % more a step.
Needs what `scripts/runtimes containers` installs.
"""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

from pairs import BIN, WFX, folder, wall
from wfx.testing.containers import tools_image
from wfx.testing.registries import Registry
from wfx.testing.runtimes import DockerDaemon, PodmanStorage

ROUNDS = 5
SHORT = 1
STEP = """\
  s{n}:
    run:
      class: CommandLineTool
      requirements: {{DockerRequirement: {{dockerPull: '{image}'}}}}
      baseCommand: [cat]
      inputs: {{text: {{type: File, inputBinding: {{position: 1}}}}}}
      outputs: {{out: stdout}}
      stdout: out.txt
    in: {{text: {source}}}
    out: [out]
"""


def chain(path: Path, steps: int, image: str) -> Path:
    """Write a workflow of steps of which each waits for the one before."""
    text = "cwlVersion: v1.2\nclass: Workflow\ninputs: {text: File}\n"
    text += f"outputs: {{out: {{type: File, outputSource: s{steps}/out}}}}\nsteps:\n"
    for n in range(1, steps + 1):
        text += STEP.format(n=n, image=image, source=f"s{n - 1}/out" if n > 1 else "text")
    path.write_text(text)
    return path


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    runtimes = sys.argv[2:] or ["docker", "podman", "singularity"]
    run = Path(mkdtemp(prefix="wfx-bench-"))
    daemon, storage = DockerDaemon(run / "docker"), PodmanStorage(run / "podman")
    number = itertools.count()
    try:
        with folder() as work, Registry() as registry:
            registry.push("wfx/tools", "1", tools_image())
            image = f"{registry.host}/wfx/tools:1"
            (work / "text.txt").write_text("b\na\n")
            (work / "job.yml").write_text("text: {class: File, path: text.txt}\n")
            long, short = chain(work / "long.cwl", steps, image), chain(work / "short.cwl", SHORT, image)
            for runtime in runtimes:
                environment = {**os.environ, "WFX_HOME": str(work / "home")}
                if runtime == "docker":
                    daemon.start()
                    environment |= daemon.environment
                elif runtime == "podman":
                    storage.folder.mkdir()
                    storage.prepare()
                    environment |= storage.environment
                compare(runtime, long, short, steps - SHORT, work, environment, number)
    finally:
        daemon.stop()
        if storage.environment:
            storage.remove()
        shutil.rmtree(run, ignore_errors=True)


def compare(
    runtime: str, long: Path, short: Path, steps: int, work: Path, environment: dict[str, str], number: itertools.count[int]
) -> None:  # fmt: skip
    """Run both in turn, and print what a step costs."""
    job = str(work / "job.yml")

    def ours(flow: Path) -> float:
        out = work / f"run{next(number)}"
        command = [WFX, "run", str(flow), job, "--containers", runtime, "-o", str(out), "-q", "--force"]
        return wall(command, env=environment)

    ours(short)
    given = bare_command(runtime, work, environment)

    def bare(flow: Path) -> float:
        out = work / f"bare{next(number)}"
        # The image that wfx has loaded, by the name that it gave it.
        text = flow.read_text().replace(image_line(flow), given[1])
        copy = flow.with_name(f"bare-{flow.name}")
        copy.write_text(text)
        return wall([*given[0], "--outdir", str(out), str(copy), job], env=environment)

    ways = {"wfx": ours, "cwltool": bare}
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            costs[name].append((way(long) - way(short)) / steps)
    a, b = (statistics.median(costs[name]) for name in ways)
    print(f"{runtime}: a step costs wfx {a:.3f} s, cwltool {b:.3f} s, ratio {a / b:.2f} (goal 1.05)", flush=True)


def image_line(flow: Path) -> str:
    """Return the requirement as the workflow has it."""
    return next(line for line in flow.read_text().splitlines() if "DockerRequirement" in line).strip()


def bare_command(runtime: str, work: Path, environment: dict[str, str]) -> tuple[list[str], str]:
    """Return cwltool's command for a runtime, and the requirement with the image by the name that it is loaded by."""
    command = [str(BIN / "cwltool"), "--quiet", "--disable-pull"]
    if runtime == "singularity":
        [sif] = (work / "home/cache/images/sif").glob("*.sif")
        return [*command, "--singularity"], f"requirements: {{DockerRequirement: {{dockerImageId: '{sif}'}}}}"
    digest = tools_image().digest.removeprefix("sha256:")[:12]
    name = f"wfx.local/wfx/tools:sha256-{digest}"
    if runtime == "podman":
        # Podman as root knows no --userns=keep-id; wfx leaves it out in the same way.
        shim = work / "shim"
        shim.mkdir(exist_ok=True)
        program = shutil.which("podman")
        (shim / "podman").write_text(
            '#!/bin/bash\na=(); for x in "$@"; do [ "$x" = --userns=keep-id ] || a+=("$x"); done\n'
            f'exec {program} "${{a[@]}}"\n'
        )
        (shim / "podman").chmod(0o755)
        environment["PATH"] = f"{shim}:{os.environ['PATH']}"
        command.append("--podman")
    return command, f"requirements: {{DockerRequirement: {{dockerImageId: '{name}'}}}}"


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"in {time.monotonic() - began:.0f} s")
