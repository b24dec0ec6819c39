"""Bring files into a history: resumable uploads side by side (tus 1.0.0), then one job for many of them.

Galaxy's fetch API (`/api/tools/fetch`) is told to leave the bytes as they are, and each file's sha256, which the server
holds it to; its size is compared here once more.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from wfx.errors import EngineError, FetchError, IntegrityError, MachineError
from wfx.net import TemporaryFailure

from wfx_galaxy.server import FIRST_PAUSE, LONGEST_PAUSE, Server, repeated

CHUNK = 8 * 2**20
AT_ONCE = 4
A_JOB = 50
"""Files that one of the server's jobs takes in."""
GOOD = frozenset({"ok", "empty"})
BAD = frozenset({"error", "discarded", "failed_metadata", "paused", "deferred"})
TUS = {"Tus-Resumable": "1.0.0"}
URL_SCHEMES = ("http://", "https://", "ftp://")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to bring into the history."""

    path: str
    """Relative to the run directory; it names the upload."""
    file: Path
    name: str
    extension: str
    """Galaxy's datatype, `auto` where nobody says."""
    sha256: str
    dbkey: str = "?"
    url: str = ""
    """Where the server may fetch it itself; empty: it goes up from here."""


def upload(
    server: Server, history: str, files: Sequence[Upload], known: Mapping[str, str],
    journal: Callable[[Mapping[str, str]], None],
) -> dict[str, str]:  # fmt: skip
    """Bring the files into the history and return the ids of their datasets by path, when all are there and whole.

    `known` are those of an earlier attempt, which are looked at first; `journal` is told of new ones before they are
    waited for. Raises FetchError, EngineError for one that the server cannot take, IntegrityError.
    """
    states = _states(server, history) if known else {}
    there = {path: dataset for path, dataset in known.items() if states.get(dataset, "error") not in BAD}
    missing = [item for item in files if item.path not in there]
    for group in _groups(missing):
        sessions = _send_all(server, [item for item in group if not item.url])
        there |= _take_in(server, history, group, sessions)
        journal(there)
    wanted = {item.path: there[item.path] for item in files}
    _wait(server, history, {there[item.path]: item for item in files})
    return wanted


def _groups(files: Sequence[Upload]) -> Iterator[list[Upload]]:
    for start in range(0, len(files), A_JOB):
        yield list(files[start : start + A_JOB])


def _send_all(server: Server, files: Sequence[Upload]) -> dict[str, str]:
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="galaxy-upload") as pool:
        running = {item.path: pool.submit(_send, server, item) for item in files}
        try:
            return {path: future.result() for path, future in running.items()}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _send(server: Server, item: Upload) -> str:
    """Send a file's bytes and return the session that has them (tus 1.0.0: creation, then PATCH at an offset)."""
    try:
        size = item.file.stat().st_size
        name = base64.b64encode(item.name.encode()).decode()
        headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": f"filename {name}"}
        made = repeated(
            lambda: server.http(f"{server.url}/upload/resumable_upload/", headers=headers, method="POST", data=b""),
            server.patience,
        )
        made.read()
        place = _place(server, made.headers.get("location", ""))
        with item.file.open("rb") as file:
            offset, deadline, pause = 0, time.monotonic() + server.patience, FIRST_PAUSE
            while offset < size:
                file.seek(offset)
                data = file.read(CHUNK)
                if not data:
                    raise IntegrityError("the file has become shorter meanwhile", where=str(item.file))
                try:
                    offset = _chunk(server, place, offset, data)
                    deadline, pause = time.monotonic() + server.patience, FIRST_PAUSE
                except TemporaryFailure:
                    if time.monotonic() + pause > deadline:
                        raise
                    time.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                    offset = _offset(server, place)
    except OSError as error:
        raise MachineError.of(error) from error
    return urlsplit(place).path.rstrip("/").rpartition("/")[2]


def _chunk(server: Server, place: str, offset: int, data: bytes) -> int:
    headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    answer = server.http(place, headers=headers, method="PATCH", data=data)
    answer.read()
    return int(answer.headers.get("upload-offset") or offset + len(data))


def _offset(server: Server, place: str) -> int:
    answer = repeated(lambda: server.http(place, headers=TUS, method="HEAD"), server.patience)
    answer.read()
    return int(answer.headers.get("upload-offset") or 0)


def _place(server: Server, location: str) -> str:
    """Return an upload's address; a server behind a proxy may name itself by another host, the path is what counts."""
    if not location:
        raise FetchError("the server names no place for an upload", where=server.base_url)
    path = urlsplit(urljoin(f"{server.url}/upload/resumable_upload/", location)).path
    return urljoin(server.base_url, path)


def _take_in(server: Server, history: str, group: Sequence[Upload], sessions: Mapping[str, str]) -> dict[str, str]:
    """Have the server make datasets of what it has got, or fetches itself; return their ids by path."""
    payload: dict[str, Any] = {"history_id": history, "targets": [{"destination": {"type": "hdas"}, "elements": []}]}
    for item in group:
        element: dict[str, Any] = {
            "name": item.name, "ext": item.extension, "dbkey": item.dbkey, "to_posix_lines": False, "space_to_tab": False,
            "auto_decompress": False, "hashes": [{"hash_function": "SHA-256", "hash_value": item.sha256}],
        }  # fmt: skip
        if item.url:
            element |= {"src": "url", "url": item.url}
        else:
            number = sum(1 for key in payload if key.startswith("files_"))
            payload[f"files_{number}|file_data"] = {"session_id": sessions[item.path], "name": item.name}
            element["src"] = "files"
        payload["targets"][0]["elements"].append(element)
    answer = server.post_again("tools/fetch", payload)
    outputs = answer.get("outputs") or []
    if len(outputs) != len(group):
        raise EngineError(
            f"the server makes {len(outputs)} datasets of {len(group)} files", where=server.base_url,
            why="its answer to the upload is not as expected",
        )  # fmt: skip
    return {item.path: str(output["id"]) for item, output in zip(group, outputs, strict=True)}


def _states(server: Server, history: str) -> dict[str, str]:
    """Return the state of each dataset of a history."""
    found: dict[str, str] = {}
    while True:
        items = server.get(
            f"histories/{history}/contents", v="dev", keys="id,state,history_content_type", limit=500, offset=len(found),
            order="hid-asc",
        )  # fmt: skip
        found |= {
            str(item["id"]): str(item.get("state")) for item in items if item.get("history_content_type") == "dataset"
        }
        if len(items) < 500:
            return found


def _wait(server: Server, history: str, items: Mapping[str, Upload]) -> None:
    pause = 0.3
    while items:
        states = _states(server, history)
        for dataset, item in items.items():
            if states.get(dataset) in BAD:
                told = server.get(f"datasets/{dataset}")
                raise EngineError(
                    f"the server cannot take {item.name}", where=server.base_url,
                    why=str(told.get("misc_info") or told.get("state")),
                )  # fmt: skip
        if all(states.get(dataset) in GOOD for dataset in items):
            break
        time.sleep(pause)
        pause = min(1.3 * pause, 5.0)
    sizes = _sizes(server, history) if items else {}
    for dataset, item in items.items():
        stated, own = sizes.get(dataset), item.file.stat().st_size
        if stated is not None and stated != own:
            raise IntegrityError(
                f"{item.name} has {stated} bytes on the server and {own} here", where=server.base_url,
                why="the server changes files of this datatype" if item.extension != "auto" else None,
                remedy="name another datatype with `filetype`",
            )  # fmt: skip


def _sizes(server: Server, history: str) -> dict[str, int]:
    found: dict[str, int] = {}
    offset = 0
    while True:
        items = server.get(
            f"histories/{history}/contents", v="dev", keys="id,file_size,history_content_type", limit=500, offset=offset,
            order="hid-asc",
        )  # fmt: skip
        offset += len(items)
        found |= {
            str(item["id"]): int(item["file_size"])
            for item in items
            if item.get("history_content_type") == "dataset" and item.get("file_size") is not None
        }
        if len(items) < 500:
            return found
