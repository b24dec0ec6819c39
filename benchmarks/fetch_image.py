"""Stage a 500 MB image from a registry on loopback, beside `skopeo copy` and `docker pull`; then load it.

    .venv/bin/python benchmarks/fetch_image.py [LAYERS]

Needs what `scripts/runtimes containers` installs, and root for Docker's daemon. Prints the median of three and the
ratios to hold: at most 1.2 to skopeo, at most 1.0 to Docker.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from wfx.config import Config
from wfx.containers import FactoryContext
from wfx.fetching import Fetched, Source
from wfx.references import Reference
from wfx.session import Session
from wfx.testing.images import make_image
from wfx.testing.registries import DockerRegistry
from wfx.testing.runtimes import DockerDaemon, PodmanStorage

SIZE = 500_000_000
ROUNDS = 3


def timed(what: Callable[[], object]) -> float:
    os.sync()
    began = time.monotonic()
    what()
    return time.monotonic() - began


def fetch(name: str, home: Path) -> Fetched:
    config = Config.load(environment={"WFX_HOME": str(home)})
    with Session(config) as session:
        [fetched] = session.fetch([Source(Reference(f"docker://{name}"))])
    return fetched


def load(runtime: str, layout: Path, digest: str, folder: Path) -> None:
    from wfx.plugins import PluginManager

    factory = PluginManager().container_factory(runtime)(FactoryContext(cache=folder))
    factory.load(layout, "wfx/big:1", digest)


def main() -> None:
    layers = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    root = Path(tempfile.mkdtemp(prefix="wfx-bench-", dir=os.environ.get("WFX_BENCH_DIR")))
    daemon, storage = DockerDaemon(root / "docker"), PodmanStorage(root / "podman")
    times: dict[str, list[float]] = {}
    try:
        image = make_image([{str(number): os.urandom(SIZE // layers)} for number in range(layers)])
        layout = image.write_layout(root / "image")
        daemon.start()
        storage.folder.mkdir()
        storage.prepare()
        os.environ |= daemon.environment | storage.environment
        with DockerRegistry(root / "registry") as registry:
            name = registry.push(layout, "wfx/big:1")
            for number in range(ROUNDS):
                home, copy = root / f"home{number}", root / f"copy{number}"
                skopeo = ["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{name}", f"oci:{copy}"]
                times.setdefault("wfx", []).append(timed(lambda: fetch(name, home)))  # noqa: B023
                times.setdefault("skopeo copy", []).append(timed(lambda: subprocess.run(skopeo, check=True)))  # noqa: B023
                times.setdefault("docker pull", []).append(timed(lambda: daemon.docker("pull", "-q", name)))
                daemon.docker("rmi", name)
                shutil.rmtree(home)
                shutil.rmtree(copy)
        for runtime in ("docker", "podman", "singularity"):
            took = timed(lambda: load(runtime, layout, image.digest, root / "sif"))  # noqa: B023
            times[f"load: {runtime}"] = [took]
    finally:
        daemon.stop()
        storage.remove()
        shutil.rmtree(root, ignore_errors=True)
    medians = {what: statistics.median(found) for what, found in times.items()}
    print(f"{SIZE / 1e6:.0f} MB in {layers} layers, seconds:")
    for what, median in medians.items():
        print(f"  {what:18} {median:6.2f}")
    for other, most in (("skopeo copy", 1.2), ("docker pull", 1.0)):
        print(f"wfx / {other}: {medians['wfx'] / medians[other]:.2f} (at most {most})")


if __name__ == "__main__":
    main()
