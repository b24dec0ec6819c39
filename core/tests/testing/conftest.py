from __future__ import annotations

import contextlib
import importlib
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wfx.testing.distributions import write_distribution

HERE = Path(__file__).parent


class Outcomes:
    """What became of each rule, by contract class."""

    def __init__(self) -> None:
        self.failed: dict[str, set[str]] = {}
        self.passed: dict[str, set[str]] = {}
        self.texts: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        contract, _, rule = report.nodeid.rpartition("::")
        contract = contract.rpartition("::")[2]
        if report.failed:
            self.failed.setdefault(contract, set()).add(rule)
            self.texts[contract] = self.texts.get(contract, "") + report.longreprtext
        elif report.when == "call":
            self.passed.setdefault(contract, set()).add(rule)


@pytest.fixture(scope="session")
def run_contracts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Outcomes]]:
    """Run the contracts in a file of this folder, whose plugins are found as those of an installed distribution."""
    site = tmp_path_factory.mktemp("site")
    sys.path[:0] = [str(site), str(HERE)]
    made: set[str] = set()

    def run(name: str, entry_points: dict[str, dict[str, str]], *modules: str) -> Outcomes:
        if name not in made:
            write_distribution(site, name.replace("_", "-"), entry_points=entry_points)
            made.add(name)
            importlib.invalidate_caches()
        outcomes = Outcomes()
        base = tmp_path_factory.mktemp("inner")
        # Quiet, and with nothing of the outer run's options; what it prints is of interest to nobody.
        with contextlib.redirect_stdout(io.StringIO()):
            pytest.main(
                [str(HERE / f"{name}.py"), "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--capture=no", "-c",
                 str(HERE / "inner.ini"), f"--rootdir={HERE}", "--import-mode=importlib", f"--basetemp={base / 'tmp'}",
                 "--noconftest"],
                plugins=[outcomes],
            )  # fmt: skip
        return outcomes

    try:
        yield run
    finally:
        sys.path.remove(str(site))
        sys.path.remove(str(HERE))
