"""An environment of Python of an engine's own, made by pip as the user has set it up; the index is a folder of wheels."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wfx import provided
from wfx.engines import Engine
from wfx.errors import EngineError
from wfx.providing import Provision, client_environment, environment_python, python_environment

MAIN = "def main():\n    import sys\n    print('toy', sys.prefix, __file__)\n"


def write_wheel(folder: Path, name: str, version: str, modules: Mapping[str, str], requires: str = "") -> str:
    """Write a wheel with a command of its name; return its sha256."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        **{f"{module}.py": source for module, source in modules.items()},
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text.encode())}\n")
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in files.items():
            wheel.writestr(member, text)
        wheel.writestr(f"{info}/RECORD", "".join(lines) + f"{info}/RECORD,,\n")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A package index of the user's, named by pip's own settings; return the digests of what it has."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    # What would put things elsewhere is not pip's business here.
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "elsewhere"))
    return {
        "toy": write_wheel(tmp_path / "index", "toy", "3.0.0", {"toy": MAIN}, "toyparts>=1"),
        "toyparts": write_wheel(tmp_path / "index", "toyparts", "1.2", {"toyparts": "VALUE = 7\n"}),
    }


@pytest.fixture
def snake(toy: type[Engine]) -> type[Engine]:
    def provide(job: Provision) -> str:
        return python_environment(job, f"toy=={job.version}")

    toy.provide = provide  # type: ignore[method-assign, assignment]
    toy.capabilities = replace(toy.capabilities, provides="3.0")
    return toy


def answer(python: Path, code: str) -> Any:
    done = subprocess.run(
        [python, "-c", f"import json; {code}"], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


def test_pip_installs_it_with_its_parts_and_tells_their_digests(
    tmp_path: Path, index: dict[str, str], snake: type[Engine]
) -> None:
    notes: list[str] = []
    kept = provided.install(tmp_path / "engines", snake, "3.0", notes.append)
    assert kept.version == "3.0.0"
    assert {package.name: package.sha256 for package in kept.packages} == index
    assert notes[0] == "Toy 3.0: making an environment of its own"
    python = environment_python(kept.installation, "toy")
    assert answer(python, "import toy, toyparts; print(json.dumps(toyparts.VALUE))") == 7
    assert not (tmp_path / "elsewhere").exists()


def test_it_works_at_its_place_and_nothing_of_it_is_compiled_anew(
    tmp_path: Path, index: dict[str, str], snake: type[Engine]
) -> None:
    kept = provided.install(tmp_path / "engines", snake, "3.0")
    env = kept.folder / "env"
    done = subprocess.run([env / "bin/toy"], capture_output=True, text=True, check=True, timeout=60)
    name, prefix, file = done.stdout.split()
    assert (name, prefix) == ("toy", str(env))
    assert file.startswith(str(env))
    code = "import toy; print(json.dumps([toy.main.__code__.co_filename, toy.__cached__]))"
    source, compiled = answer(env / "bin/python", code)
    assert (source, Path(compiled).exists()) == (file, True)
    provided.verify(kept)


def test_a_version_that_the_index_lacks_is_told_in_pip_s_words(
    tmp_path: Path, index: dict[str, str], snake: type[Engine]
) -> None:
    with pytest.raises(EngineError, match=r"Could not find a version that satisfies the requirement toy==4\.0"):
        provided.install(tmp_path / "engines", snake, "4.0")
    assert [path.name for path in (tmp_path / "engines/toy.toy").iterdir()] == [provided.LOCK]


def test_a_broken_part_stops_it(tmp_path: Path, index: dict[str, str], snake: type[Engine]) -> None:
    (tmp_path / "index/toyparts-1.2-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(EngineError, match="ERROR: .*toyparts"):
        provided.install(tmp_path / "engines", snake, "3.0")


def test_an_environment_whose_python_is_gone_says_so(
    tmp_path: Path, index: dict[str, str], snake: type[Engine]
) -> None:
    kept = provided.install(tmp_path / "engines", snake, "3.0")
    for path in (kept.folder / "env/bin").glob("python*"):
        path.unlink()
        path.symlink_to(tmp_path / "gone")
    with pytest.raises(EngineError, match=r"the environment of toy 3\.0\.0 is broken: the Python .* is gone") as caught:
        environment_python(kept.installation, "toy")
    assert "wfx engines remove toy@3.0.0" in str(caught.value)
    assert caught.value.exit_code == 6


def test_package_clients_get_their_own_settings_and_no_secret_of_ours() -> None:
    given = {
        "PATH": "/bin", "HOME": "/h", "PIP_INDEX_URL": "u", "HTTPS_PROXY": "p", "no_proxy": "n", "MAVEN_OPTS": "m",
        "WFX_PASSWORD_EXAMPLE_ORG": "secret", "AWS_SECRET_ACCESS_KEY": "secret", "GITHUB_TOKEN": "secret",
        "PYTHONPATH": "/x", "PIP_TARGET": "/elsewhere", "SSL_CERT_FILE": "c",
    }  # fmt: skip
    assert set(client_environment(given)) == {
        "PATH", "HOME", "PIP_INDEX_URL", "HTTPS_PROXY", "no_proxy", "MAVEN_OPTS", "SSL_CERT_FILE",
    }  # fmt: skip


def test_progress_is_told_now_and_then_and_a_note_at_once(tmp_path: Path) -> None:
    told: list[str] = []
    job = Provision("1", tmp_path, tmp_path / "final", told.append)
    job.note("first")
    for number in range(1000):
        job.progress(f"{number} so far")
    assert told == ["first"]


def test_a_client_that_fails_is_told_with_its_first_error(tmp_path: Path) -> None:
    job = Provision("1", tmp_path, tmp_path / "final")
    script = "echo start; echo 'ERROR: no such thing'; echo 'ERROR: see the manual'; echo 'ERROR: third'; exit 4"
    with pytest.raises(EngineError) as caught:
        job.run(["sh", "-c", script])
    assert str(caught.value) == "sh ended with exit code 4: ERROR: no such thing | ERROR: see the manual"
    with pytest.raises(EngineError, match="no-such-client could not be started"):
        job.run(["no-such-client"])
