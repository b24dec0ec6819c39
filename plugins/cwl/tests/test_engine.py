"""The engine and its driver as programs: interpreters, versions, start-up."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import wfx_cwl
from wfx.errors import EngineError
from wfx.testing.commands import WfxRun
from wfx_cwl import CwltoolEngine
from wfx_cwl.engine import DRIVER

TOOL = "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: echo\ninputs: []\noutputs: []\n"


class Settings:
    installation = None

    def __init__(self, **settings: str) -> None:
        self.settings = settings


def test_the_key_is_that_of_the_entry_point() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["wfx.engines"] == dict.fromkeys(CwltoolEngine.keys, "wfx_cwl")
    assert wfx_cwl.wfx_engines() == [CwltoolEngine]


def test_the_plugin_imports_neither_cwltool_nor_its_driver() -> None:
    code = "import sys, wfx_cwl; print(sorted({m.split('.')[0] for m in sys.modules} & {'cwltool', 'ruamel', 'schema_salad'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_module_of_the_driver_imports_wfx() -> None:
    for path in DRIVER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not any(name.split(".")[0].startswith("wfx") for name in names), path


def test_no_file_of_the_package_is_longer_than_a_reader_likes() -> None:
    for path in Path(wfx_cwl.__file__).parent.rglob("*.py"):
        assert len(path.read_text().splitlines()) < 400, path


def test_the_version_is_that_of_cwltool() -> None:
    import importlib.metadata

    assert CwltoolEngine(Settings()).version() == importlib.metadata.version("cwltool")  # type: ignore[arg-type]


def test_an_interpreter_that_is_missing_or_has_no_cwltool_is_explained(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="does not start"):
        CwltoolEngine(Settings(python=str(tmp_path / "none"))).version()  # type: ignore[arg-type]
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    with pytest.raises(EngineError, match="not installed there") as caught:
        CwltoolEngine(Settings(python=str(fake))).version()  # type: ignore[arg-type]
    assert "pip install cwltool" in str(caught.value.remedy)


def interpreter(folder: Path, version: str) -> Path:
    """A Python in which cwltool has a version; empty: none."""
    fake = folder / "python"
    fake.write_text(f"#!/bin/sh\necho {version}\n" if version else "#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    return fake


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("", "cwltool is not installed there"),
        ("3.0.20201203173111", "cwltool 3.0.20201203173111 is installed, and the plugin drives >=3.1"),
    ],
    ids=["missing", "too-old"],
)
def test_offline_a_cwltool_that_is_missing_or_too_old_stops_a_run_and_the_remedy_is_named(
    tmp_path: Path, version: str, said: str
) -> None:
    (tmp_path / "main.cwl").write_text(TOOL)
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.config.mkdir(parents=True)
    python = interpreter(tmp_path, version)
    (wfx.config / "config.toml").write_text(f'[engine."cwl.cwltool"]\npython = "{python}"\n')
    done = wfx("run", "main.cwl", "-o", "run", "--offline", check=None)
    assert done.exit_code == 6
    assert said in done.stderr
    assert f"wfx engines install cwltool@{CwltoolEngine.capabilities.provides} where there is a network" in done.stderr
    assert not (tmp_path / "run").exists()


def converse(code: str, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    text = "".join(json.dumps(message) + "\n" for message in messages)
    done = subprocess.run(
        [sys.executable, "-s", "-c", code], input=text, capture_output=True, text=True, timeout=60, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_driver_without_cwltool_says_so() -> None:
    code = f"import runpy, sys; sys.modules['cwltool'] = None; runpy.run_path({str(DRIVER)!r}, run_name='__main__')"
    [answer] = converse(code)
    assert (answer["problem"]["kind"], answer["problem"]["what"]) == ("engine", "cwltool cannot be imported")


@pytest.mark.real
def test_the_driver_works_where_wfx_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "main.cwl").write_text(TOOL)
    code = f"import runpy, sys; sys.modules['wfx'] = sys.modules['wfx_cwl'] = None; runpy.run_path({str(DRIVER)!r}, run_name='__main__')"
    message = {
        "do": "describe",
        "tree": str(tmp_path),
        "entry": "main.cwl",
        "fragment": "",
        "aliases": {},
        "state": str(tmp_path),
    }
    one, two = converse(code, message, message)
    assert one == two
    assert one["description"]["kind"] == "command"
