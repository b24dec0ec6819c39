"""What the server tells of a job, as a step event: true times, exit code, command, parameters, data, resources."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wfx.engines import StepEvent, StepState
from wfx.values import JsonValue

from wfx_galaxy.describing import tool_key
from wfx_galaxy.model import GalaxyWorkflow
from wfx_galaxy.server import Server

if TYPE_CHECKING:
    from wfx_galaxy.downloading import Places

# Parameters of the server's own, which no tool's author wrote.
INTERNAL = re.compile(r"^(__.*|.*__$|chromInfo|dbkey|.*\|__.*|.*__identifier__)$")
STATES: Mapping[str, StepState] = {"ok": "completed", "skipped": "skipped"}
LONGEST_TEXT = 2000
UNSETTLED = frozenset({"new", "queued", "running", "upload", "setting_metadata"})
SETTLING = 60.0
"""Seconds for which the dataset of a job that has ended may not be what it will be."""
HASHES = {"SHA-256": "sha256", "SHA-1": "sha1", "SHA-512": "sha512", "MD5": "md5"}


@dataclass(slots=True)
class Describer:
    """Makes events of jobs; remembers what it has asked about datasets."""

    server: Server
    workflow: GalaxyWorkflow
    entry: str
    places: Places
    digests: Mapping[str, str] = field(default_factory=dict)
    """Dataset → sha256 of what was uploaded as it."""
    locations: Mapping[str, str] = field(default_factory=dict)
    """Dataset → where it lies in the run directory, of the inputs."""
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)

    def started(self, execution: str, path: str, parent: str) -> StepEvent:
        """Return the event of a job that has begun."""
        step = dict(self.workflow.every_step())[path]
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        tool = tool_key(step.tool, step.tool_version)
        return StepEvent(execution, path, "started", now, parent=parent, tool=tool, name=step.label, started=now)

    def ended(self, job: str, execution: str, path: str, parent: str) -> StepEvent:
        """Return the event of a job that has ended, with all that the server tells of it."""
        told = self.server.get(f"jobs/{job}", full=True)
        step = dict(self.workflow.every_step())[path]
        started, ended = times(told)
        state: StepState = STATES.get(str(told.get("state")), "failed")
        code = told.get("exit_code")
        return StepEvent(
            execution, path, state, ended, parent=parent, tool=tool_key(step.tool, step.tool_version), name=step.label,
            started=started, ended=ended, exit_code=int(code) if isinstance(code, int) else None,
            command=tuple(["sh", "-c", command] if (command := self._command(told)) else []),
            inputs=self._parameters(told) | self._data(told.get("inputs")),
            outputs=self._collections(told.get("output_collections")) | self._data(told.get("outputs"))
            if state == "completed" else {},
            resources=resources(told), error=self._complaint(told) if state == "failed" else "",
        )  # fmt: skip

    def _command(self, told: Mapping[str, Any]) -> str:
        """Return the command without the server's own paths."""
        text = str(told.get("command_line") or "")
        return re.sub(r"/(?:[^\s'\"/;]+/)+(?=(?:dataset_[\w-]+|[^\s'\"/;]+\.(?:py|pl|sh|R))\b)", "", text).strip()

    def _complaint(self, told: Mapping[str, Any]) -> str:
        """Return why a job failed; where neither tool nor job says it, the data that it should have made do."""
        found = complaint(told)
        if found:
            return found
        for item in (told.get("outputs") or {}).values():
            said = str(self.about(str(item["id"])).get("misc_info") or "").strip() if item.get("src") == "hda" else ""
            if said:
                return said
        return f"the server says: {told.get('state')}"

    def _parameters(self, told: Mapping[str, Any]) -> dict[str, JsonValue]:
        found: dict[str, JsonValue] = {}
        for name, text in (told.get("params") or {}).items():
            if INTERNAL.match(name) or name in (told.get("inputs") or {}):
                continue
            value = _decoded(text)
            if not (isinstance(value, dict) and value.keys() & {"values", "src", "__class__"}):
                found[name] = value
        return found

    def _data(self, items: Mapping[str, Any] | None) -> dict[str, JsonValue]:
        found: dict[str, JsonValue] = {}
        for name, item in (items or {}).items():
            if isinstance(item, dict) and item.get("id") and item.get("src") in ("hda", "hdca"):
                found[name] = self.file(str(item["id"])) if item["src"] == "hda" else self.collection(str(item["id"]))
        return found

    def _collections(self, items: Mapping[str, Any] | None) -> dict[str, JsonValue]:
        return {
            name: self.collection(str(item["id"]))
            for name, item in (items or {}).items()
            if isinstance(item, dict) and item.get("src") == "hdca"
        }

    def file(self, dataset: str) -> JsonValue:
        """Return a dataset as a File: where it lies, where it lies here, else its name, size and digest."""
        told = self.about(dataset)
        result: dict[str, JsonValue] = {"class": "File", "basename": file_name(told)}
        if isinstance(told.get("file_size"), int):
            result["size"] = told["file_size"]
        digest = self.digests.get(dataset)
        if digest:
            result["checksum"] = f"sha256${digest}"
        else:
            result |= checksum(told)
        if place := self.locations.get(dataset) or self.places.of(told):
            result["location"] = place
            result["basename"] = place.rpartition("/")[2]
        return result

    def collection(self, identifier: str) -> JsonValue:
        """Return a collection as an array of Files."""
        return [
            self.file(item["id"])
            for item in leaves(self.server.get(f"dataset_collections/{identifier}", instance_type="history"))
        ]

    def about(self, dataset: str) -> dict[str, Any]:
        """Return what the server tells of a dataset, once it is settled: its size comes a moment after its job's end."""
        deadline, pause = time.monotonic() + SETTLING, 0.1
        while dataset not in self.datasets:
            told = self.server.get(f"datasets/{dataset}")
            if str(told.get("state")) not in UNSETTLED or time.monotonic() > deadline:
                self.datasets[dataset] = told
            else:
                time.sleep(pause)
                pause = min(1.5 * pause, 2.0)
        return self.datasets[dataset]


def leaves(collection: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the datasets of a collection, each with `path`, the identifiers that lead to it."""
    found: list[dict[str, Any]] = []

    def walk(elements: Any, path: tuple[str, ...]) -> None:
        for element in elements or []:
            here = (*path, str(element.get("element_identifier")))
            thing = element.get("object") or {}
            if element.get("element_type") == "dataset_collection":
                walk(thing.get("elements"), here)
            else:
                found.append({**thing, "path": here})

    walk(collection.get("elements"), ())
    return found


def file_name(told: Mapping[str, Any]) -> str:
    """Return the name of a dataset's file: its own, with its datatype's extension."""
    name = re.sub(r"[/\\\0]+", "_", str(told.get("name") or told.get("id"))).strip()
    extension = str(told.get("extension") or told.get("file_ext") or "")
    if not extension or extension in ("data", "auto") or name.lower().endswith(f".{extension.lower()}"):
        return name
    return f"{name}.{extension}"


def hashes(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (algorithm, hex) of what the server has computed of a dataset."""
    return [
        (HASHES[item["hash_function"]], str(item["hash_value"]).lower())
        for item in told.get("hashes") or []
        if item.get("hash_function") in HASHES and not item.get("extra_files_path")
    ]


def checksum(told: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return the first digest that the server has of a dataset, as a File states it; nothing where it has none."""
    known = hashes(told)
    return {"checksum": "$".join(known[0])} if known else {}


def times(told: Mapping[str, Any]) -> tuple[str, str]:
    """Return when a job began and ended: the runner's own clock where it is measured, else when it was made and last seen.

    The server's times are UTC without saying so.
    """
    measured = {str(item.get("name")): item.get("raw_value") for item in told.get("job_metrics") or []}
    started = _epoch(measured.get("start_epoch")) or _zoned(told.get("create_time"))
    ended = _epoch(measured.get("end_epoch")) or _zoned(told.get("update_time"))
    return (started, max(started, ended))


def _epoch(value: Any) -> str:
    try:
        return datetime.fromtimestamp(float(value), UTC).isoformat(timespec="milliseconds")
    except (TypeError, ValueError, OverflowError):
        return ""


def _zoned(value: Any) -> str:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return datetime.now(UTC).isoformat(timespec="milliseconds")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="milliseconds")


def resources(told: Mapping[str, Any]) -> dict[str, float]:
    """Return what a job has used, where the server measures it (Galaxy's plugins `core` and `cgroup`)."""
    measured: dict[str, float] = {}
    for item in told.get("job_metrics") or []:
        try:
            measured[str(item.get("name"))] = float(item.get("raw_value"))
        except (TypeError, ValueError):
            continue
    names = {
        "runtime_seconds": "wall_seconds", "galaxy_slots": "cores", "memory.peak": "max_memory_bytes",
        "memory.max_usage_in_bytes": "max_memory_bytes",
    }  # fmt: skip
    found = {new: measured[old] for old, new in names.items() if old in measured}
    if "cpu.stat.usage_usec" in measured:
        found["cpu_seconds"] = measured["cpu.stat.usage_usec"] / 1e6
    elif "cpuacct.usage" in measured:
        found["cpu_seconds"] = measured["cpuacct.usage"] / 1e9
    return found


def complaint(told: Mapping[str, Any]) -> str:
    """Return what the job says of its failure, a few lines, the tool's own words among them; empty where it says nothing."""
    code = told.get("exit_code")
    said = str(told.get("tool_stderr") or told.get("stderr") or told.get("job_stderr") or "").strip()
    messages = told.get("job_messages") or []
    described = "; ".join(
        str(item.get("desc") or "") for item in messages if isinstance(item, dict) and item.get("desc")
    )
    parts = [f"exit code {code}" if code not in (None, 0) else "", described, said[-LONGEST_TEXT:]]
    return ": ".join(part for part in parts if part)


def _decoded(text: Any) -> JsonValue:
    if isinstance(text, str):
        try:
            decoded: JsonValue = json.loads(text)
        except ValueError:
            return text
        if isinstance(decoded, str) and decoded in ("true", "false"):
            return decoded == "true"  # a boolean of a workflow comes as a text within a text
        return decoded
    result: JsonValue = text
    return result
