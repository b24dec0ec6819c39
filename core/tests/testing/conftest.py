from __future__ import annotations

import contextlib
import fcntl
import importlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wfx.testing.distributions import write_distribution

HERE = Path(__file__).parent


class Outcomes:
    """What became of each rule, by contract class."""

    def __init__(self, failed=None, passed=None, texts=None) -> None:
        self.failed: dict[str, set[str]] = {name: set(rules) for name, rules in (failed or {}).items()}
        self.passed: dict[str, set[str]] = {name: set(rules) for name, rules in (passed or {}).items()}
        self.texts: dict[str, str] = texts or {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        contract, _, rule = report.nodeid.rpartition("::")
        contract = contract.rpartition("::")[2]
        if report.failed:
            self.failed.setdefault(contract, set()).add(rule)
            self.texts[contract] = self.texts.get(contract, "") + report.longreprtext
        elif report.when == "call":
            self.passed.setdefault(contract, set()).add(rule)

    def dump(self) -> str:
        return json.dumps(
            [{n: sorted(r) for n, r in each.items()} for each in (self.failed, self.passed)] + [self.texts]
        )


@pytest.fixture(scope="package")
def run_contracts(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Outcomes]]:
    """Run the contracts in a file of this folder, whose plugins are found as those of an installed distribution."""
    site = tmp_path_factory.mktemp("site")
    sys.path[:0] = [str(site), str(HERE)]
    base = tmp_path_factory.getbasetemp()
    # The workers of one parallel run have one folder above their own.
    shared = base.parent if hasattr(request.config, "workerinput") else base

    def run(name: str, entry_points: dict[str, dict[str, str]]) -> Outcomes:
        # Once for all workers: the first one runs them, the others wait for what it has found.
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = shared / f"{name}.json"
            if not found.exists():
                write_distribution(site, name.replace("_", "-"), entry_points=entry_points)
                importlib.invalidate_caches()
                found.write_text(inner(name, tmp_path_factory.mktemp("inner")).dump())
            return Outcomes(*json.loads(found.read_text()))

    try:
        yield run
    finally:
        sys.path.remove(str(site))
        sys.path.remove(str(HERE))


def inner(name: str, folder: Path) -> Outcomes:
    outcomes = Outcomes()
    # Quiet, and with nothing of the outer run's options; what it prints is of interest to nobody.
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(
            [str(HERE / f"{name}.py"), "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--capture=no", "-c",
             str(HERE / "inner.ini"), f"--rootdir={HERE}", "--import-mode=importlib", f"--basetemp={folder / 'tmp'}",
             "--noconftest"],
            plugins=[outcomes],
        )  # fmt: skip
    return outcomes
