"""A private Galaxy server on this machine, for people without one and for tests: its own folder, port and user.

Galaxy's packages are no dependency of this one: they lie in an environment of their own, whose Python is given. Two
processes serve: the web application, and a worker for uploads and metadata. Each runs under wfx's supervisor, which ends
it with all that it started, however wfx ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

from wfx.errors import EngineError, MachineError
from wfx.processes import Order, Supervised

START_SECONDS = 240.0
STOP_SECONDS = 10.0
USER = "wfx@example.org"
# Text and collection tools that Galaxy's own packages carry and that need no other software than a Unix's.
BUNDLED = (
    "filters/sorter.xml", "filters/changeCase.xml", "filters/cutWrapper.xml", "filters/grep.xml",
    "filters/headWrapper.xml", "filters/tailWrapper.xml", "filters/catWrapper.xml", "filters/pasteWrapper.xml",
    "filters/joiner.xml", "filters/uniq.xml", "filters/wc_gnu.xml", "filters/remove_beginning.xml",
    "filters/trimmer.xml", "filters/convert_characters.xml", "filters/fixedValueColumn.xml", "filters/compare.xml",
    "filters/secure_hash_message_digest.xml", "filters/randomlines.xml", "stats/filtering.xml",
    "expression_tools/parse_values_from_file.xml", "expression_tools/pick_value.xml", "data_source/upload.xml",
)  # fmt: skip
OPERATIONS = (
    "build_list.xml", "flatten_collection.xml", "nest_collection.xml", "merge_collection.xml",
    "filter_failed_collection.xml", "filter_empty_collection.xml", "filter_null.xml", "keep_success_collection.xml",
    "filter_from_file.xml", "zip_collection.xml", "unzip_collection.xml", "sort_collection_list.xml",
    "relabel_from_file.xml", "tag_collection_from_file.xml", "extract_dataset.xml", "apply_rules.xml",
    "duplicate_file_to_collection.xml", "harmonize_two_collections_list.xml", "cross_product_flat.xml",
)  # fmt: skip
CONFIGURATION = """galaxy:
  config_dir: {folder}
  data_dir: {folder}/data
  tool_config_file: {folder}/tool_conf.xml
  tool_path: {folder}/tools
  shed_tool_config_file: {folder}/shed_tool_conf.xml
  job_config_file: {folder}/job_conf.yml
  tool_data_table_config_path: {folder}/tool_data_table_conf.xml
  admin_users: {user}
  bootstrap_admin_api_key: {bootstrap}
  allow_local_account_creation: true
  require_login: true
  conda_auto_init: false
  conda_auto_install: false
  watch_tools: false
  database_auto_migrate: true
  enable_celery_tasks: true
  metadata_strategy: directory_celery
  celery_conf:
    broker_url: null
    result_backend: null
    task_routes: {{galaxy.fetch_data: galaxy.external, galaxy.set_job_metadata: galaxy.external}}
  cleanup_job: onsuccess
"""
JOBS = """runners: {{local: {{load: "galaxy.jobs.runners.local:LocalJobRunner", workers: {cores}}}}}
execution: {{default: local, environments: {{local: {{runner: local}}}}}}
"""


@dataclass(slots=True)
class PrivateGalaxy:
    """A server that was started here; use it as a context manager, or call `stop`."""

    url: str
    key: str = field(repr=False)
    folder: Path
    processes: list[Supervised] = field(default_factory=list)

    def stop(self) -> None:
        """End the server and everything it started; a second call does nothing."""
        while self.processes:
            self.processes.pop().end()

    def __enter__(self) -> PrivateGalaxy:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def start(
    python: Path, folder: Path, *, tools: Path | None = None, cores: int = 2, port: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> PrivateGalaxy:  # fmt: skip
    """Start a server whose state lies in `folder`, and wait until it answers; a folder that has served goes on.

    `python` is that of the environment with Galaxy's packages; `tools` a folder of tools' XML files, beside those that
    Galaxy's packages carry. Raises EngineError where it does not come up, with the end of its log.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        bootstrap = _secret(folder / "bootstrap")
        _configure(python, folder, tools, bootstrap, cores)
    except OSError as error:
        raise MachineError.of(error) from error
    port = port or _free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {name: value for name, value in os.environ.items() if name in ("LANG", "LC_ALL", "TZ", "TMPDIR")}
    environment |= {
        "GALAXY_CONFIG_FILE": str(folder / "galaxy.yml"), "GALAXY_VIRTUAL_ENV": str(python.parent.parent),
        "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)]), "HOME": str(folder),
    }  # fmt: skip
    commands = [
        [str(python.parent / "galaxy-web"), "-c", "galaxy.yml", "-b", f"127.0.0.1:{port}"],
        [
            str(python.parent / "celery"), "--app", "galaxy.celery", "worker", "--pool", "threads", "--concurrency",
            str(max(2, cores)), "--loglevel", "INFO", "--queues", "celery,galaxy.internal,galaxy.external",
        ],
    ]  # fmt: skip
    server = PrivateGalaxy(url, "", folder)
    try:
        for command, log in zip(commands, ("web.log", "celery.log"), strict=True):
            with (folder / log).open("ab") as output:
                order = Order(tuple(command), environment, folder, grace=STOP_SECONDS)
                server.processes.append(
                    Supervised(order, stdin=subprocess.DEVNULL, stdout=output.fileno(), stderr=subprocess.STDOUT)
                )
        _wait(server, progress)
        server.key = _user_key(url, bootstrap, folder / "key")
    except BaseException as error:
        server.stop()
        if isinstance(error, OSError):
            raise EngineError("Galaxy does not start", where=str(folder), why=str(error)) from error
        raise
    return server


def _configure(python: Path, folder: Path, tools: Path | None, bootstrap: str, cores: int) -> None:
    package = next(python.parent.parent.glob("lib/python*/site-packages/galaxy/tools"), None)
    if package is None:
        raise EngineError("Galaxy is not installed there", where=str(python), remedy="run `wfx engines install galaxy`")
    found = [*(package / "bundled" / name for name in BUNDLED), *(package / name for name in OPERATIONS)]
    found += sorted(tools.rglob("*.xml")) if tools is not None else []
    lines = [f"  <tool file={quoteattr(str(path))}/>" for path in found if path.is_file() and _is_tool(path)]
    texts = {
        "galaxy.yml": CONFIGURATION.format(folder=folder, user=USER, bootstrap=bootstrap),
        "job_conf.yml": JOBS.format(cores=max(1, cores)),
        "tool_conf.xml": "\n".join(
            ['<toolbox monitor="false"><section id="wfx" name="Tools">', *lines, "</section></toolbox>\n"]
        ),
        "shed_tool_conf.xml": f"<toolbox tool_path={quoteattr(str(folder / 'shed_tools'))}></toolbox>\n",
        "tool_data_table_conf.xml": "<tables/>\n",
    }
    (folder / "tools").mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o600)


def _is_tool(path: Path) -> bool:
    with path.open("rb") as file:
        return b"<tool " in file.read(4096)


def _secret(path: Path) -> str:
    """Return a secret that lies in a file of its own, made at first."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(16))
    return path.read_text(encoding="ascii")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: PrivateGalaxy, progress: Callable[[str], None]) -> None:
    began, said = time.monotonic(), 0.0
    while True:
        for process, name in zip(server.processes, ("web.log", "celery.log"), strict=True):
            if process.wait(0):
                raise EngineError(
                    f"Galaxy {process.explain()}", where=str(server.folder / name), why=_tail(server.folder / name)
                )
        with contextlib.suppress(OSError, ValueError):
            _ask(f"{server.url}/api/version")
            return
        passed = time.monotonic() - began
        if passed > START_SECONDS:
            raise EngineError(
                f"Galaxy does not answer after {passed:.0f} s", where=str(server.folder / "web.log"),
                why=_tail(server.folder / "web.log"),
            )  # fmt: skip
        if passed - said >= 5:
            said = passed
            progress(f"Galaxy is starting ({passed:.0f} s)")
        time.sleep(0.3)


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
        return " ".join(lines[-3:])[-500:]
    return ""


def _user_key(url: str, bootstrap: str, kept: Path) -> str:
    """Return the key of the server's one user, who is made at first: the bootstrap key itself is no user's."""
    if kept.is_file():
        return kept.read_text(encoding="ascii")
    user = _ask(f"{url}/api/users", bootstrap, {"username": "wfx", "email": USER, "password": secrets.token_hex(16)})
    assert isinstance(user, dict)
    key = str(_ask(f"{url}/api/users/{user['id']}/api_key", bootstrap, {}))
    descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key


def _ask(url: str, key: str = "", data: object = None) -> object:
    headers = {"Content-Type": "application/json", **({"x-api-key": key} if key else {})}
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 (always this machine's)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)
