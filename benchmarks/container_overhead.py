"""What a step in a container costs over cwltool's own step with the same runtime.

    .venv/bin/python benchmarks/container_overhead.py [STEPS] [RUNTIME...]

Both run the same chain of tools on the same image, loaded before; the chain is run short and long in turn, and the
difference of the shortest times is what the steps cost: starting up counts on neither side. Beside the wall's time there
is the processors', which other work on the machine does not add to. Goal: at most 5 % more a step.
Needs what `scripts/runtimes containers` installs.
"""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

from pairs import BIN, WFX, folder, wall
from wfx.testing.containers import tools_image
from wfx.testing.registries import Registry
from wfx.testing.runtimes import DockerDaemon, PodmanStorage

ROUNDS = 5
Cost = tuple[float, float]
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

    def ours(flow: Path) -> Cost:
        out = work / f"run{next(number)}"
        command = [WFX, "run", str(flow), job, "--containers", runtime, "-o", str(out), "-q", "--force"]
        return measured(command, environment)

    ours(short)
    given = bare_command(runtime, work, environment)

    def bare(flow: Path) -> Cost:
        out = work / f"bare{next(number)}"
        # The image that wfx has loaded, by the name that it gave it.
        text = flow.read_text().replace(image_line(flow), given[1])
        copy = flow.with_name(f"bare-{flow.name}")
        copy.write_text(text)
        return measured([*given[0], "--outdir", str(out), str(copy), job], environment)

    ways = {"wfx": ours, "cwltool": bare}
    costs: dict[tuple[str, Path], list[Cost]] = {(name, flow): [] for name in ways for flow in (long, short)}
    for _ in range(ROUNDS):
        for (name, flow), found in costs.items():
            found.append(ways[name](flow))
    for kind, place in (("wall", 0), ("processors", 1)):
        # The least of each: what else the machine does only adds to it.
        a, b = (
            (min(c[place] for c in costs[name, long]) - min(c[place] for c in costs[name, short])) / steps
            for name in ways
        )
        print(
            f"{runtime}, {kind}: a step costs wfx {a:.3f} s, cwltool {b:.3f} s, ratio {a / b:.2f} (goal 1.05)",
            flush=True,
        )


def measured(command: list[str], environment: dict[str, str]) -> Cost:
    """Run a command; return the seconds that it took, and those of the processors for it and all that it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = wall(command, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
