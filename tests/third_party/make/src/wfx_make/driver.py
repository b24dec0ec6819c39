"""The driver: asks make for its data base, and makes one target after the other, each a step.

A program of its own: it imports neither wfx nor its package, and speaks JSON lines. Every path in what it tells is
relative to the run directory. What an earlier attempt has finished make itself finds up to date.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TAIL = 5
BLOCK = re.compile(r"^# Files\n(.*?)^# files hash-table stats:", re.M | re.S)


class Broken(Exception):
    """make cannot read the Makefile."""


@dataclass
class Target:
    """What make knows of a name."""

    name: str
    needs: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    """Order-only: they must be there, their content does not count."""
    recipe: str = ""
    phony: bool = False
    rule: bool = True


def tell(message: dict[str, Any]) -> None:
    """Write one line."""
    OUT.write(json.dumps(message).encode("utf-8", "surrogateescape") + b"\n")
    OUT.flush()


def now() -> str:
    """Return the time with its zone."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def label(name: str) -> str:
    """Return a name without slashes, as steps and parameters have them."""
    return name.replace("/", "_")


def file_value(path: Path, location: str = "") -> dict[str, Any]:
    """Return a file as wfx writes one; `location` only where it lies in the crate."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    value = {"class": "File", "basename": path.name, "checksum": f"sha256${digest}", "size": size}
    return {**value, "location": location} if location else value


# -- what make knows


def data_base(folder: Path, makefile: str, variables: list[str]) -> tuple[dict[str, Target], str]:
    """Return make's targets by name, and the default goal; recipes are printed, not run."""
    done = subprocess.run(
        ["make", "-C", str(folder), "-f", makefile, "-npk", "--no-print-directory", *variables],
        capture_output=True, text=True, errors="surrogateescape", check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    block = BLOCK.search(done.stdout)
    goal = re.search(r"^\.DEFAULT_GOAL := (\S+)$", done.stdout, re.M)
    fatal = re.search(r"^\S+:\d+: \*\*\* .*$", done.stderr, re.M)
    if fatal is not None:
        raise Broken(fatal[0].replace("*** ", "").removesuffix("  Stop."))
    if block is None or goal is None:
        raise Broken(done.stderr.strip().splitlines()[0] if done.stderr.strip() else "there is no target in it")
    targets = {}
    for text in block[1].split("\n\n"):
        target = parse(text)
        if target is not None:
            targets[target.name] = target
    return targets, goal[1]


def parse(text: str) -> Target | None:
    """Read one entry of the data base."""
    target: Target | None = None
    rule = True
    recipe = []
    for line in text.strip("\n").split("\n"):
        if line.startswith("# Not a target"):
            rule = False
        elif line.startswith("\t"):
            recipe.append(line[1:])
        elif line.startswith("#  Phony target") and target is not None:
            target.phony = True
        elif not line.startswith("#") and ":" in line and target is None:
            name, _, rest = line.partition(":")
            needs, _, after = rest.lstrip(":").partition("|")
            target = Target(name.strip(), needs.split(), after.split(), rule=rule)
        elif recipe:
            recipe.append(line)
    if target is not None:
        target.recipe = "\n".join(recipe)
    return target


class Known:
    """The steps that lead to the goal, in the order of their making."""

    def __init__(self, folder: Path, makefile: str, variables: list[str]) -> None:
        self.folder = folder
        self.targets, self.goal = data_base(folder, makefile, variables)
        self.order: list[Target] = []
        self.sources: list[str] = []
        """Needed, made by nobody, and not there."""
        self._seen: set[str] = set()
        self._visit(self.goal)

    def _visit(self, name: str) -> None:
        if name in self._seen:
            return
        self._seen.add(name)
        target = self.targets.get(name)
        if target is None or not target.rule:
            if not (self.folder / name).exists():
                self.sources.append(name)
            return
        for other in (*target.needs, *target.after):
            self._visit(other)
        if target.recipe:
            self.order.append(target)

    def behind(self, names: list[str]) -> list[str]:
        """Return the names, those without a recipe replaced by what they need."""
        found: list[str] = []
        for name in names:
            target = self.targets.get(name)
            found += self.behind(target.needs) if target is not None and target.rule and not target.recipe else [name]
        return list(dict.fromkeys(found))

    def goals(self) -> list[str]:
        """Return the files that the goal stands for."""
        made = {target.name for target in self.order if not target.phony}
        return [name for name in self.behind([self.goal]) if name in made]

    def as_json(self) -> dict[str, Any]:
        """Return what the engine needs for its description."""
        files = {target.name for target in self.order if not target.phony}
        steps = [
            {
                "id": label(t.name), "target": t.name, "recipe": t.recipe, "file": t.name in files,
                "reads": [name for name in self.behind(t.needs) if name in files or not self._is_rule(name)],
            }
            for t in self.order
        ]  # fmt: skip
        return {"steps": steps, "sources": self.sources, "goals": self.goals()}

    def _is_rule(self, name: str) -> bool:
        target = self.targets.get(name)
        return target is not None and target.rule


# -- a run


class Run:
    """One run of a Makefile."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.root, self.work, self.logs = Path(order["root"]), Path(order["work"]), Path(order["logs"])
        self.tree, self.entry = Path(order["tree"]), order["entry"]
        self.makefile = Path(self.entry).name
        self.folder = self.work / "tree" / Path(self.entry).parent
        self.files = {name: v for name, v in order["inputs"].items() if isinstance(v, dict)}
        self.variables = [f"{n}={v}" for n, v in order["inputs"].items() if not isinstance(v, dict) and v is not None]
        self.journal = self.work / "done.json"
        self.done: dict[str, Any] = json.loads(self.journal.read_bytes()) if self.journal.is_file() else {}
        self.logs.mkdir(parents=True, exist_ok=True)
        self.prepare()
        self.known = Known(self.folder, self.makefile, self.variables)

    def prepare(self) -> None:
        """Lay the tree and the inputs out as the Makefile expects them."""
        if not (self.work / "tree").exists():
            temporary = self.work / "new"
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.copytree(self.tree, temporary, copy_function=shutil.copy2)
            for folder, _, _ in os.walk(temporary):
                os.chmod(folder, 0o755)
            temporary.rename(self.work / "tree")
        for name, value in self.files.items():
            place = self.folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.is_symlink():
                place.symlink_to(self.root / str(value["location"]))

    def run(self) -> dict[str, Any]:
        """Make what has to be made; return the result."""
        for target in self.known.order:
            if target.name not in self.done and not target.phony:
                # The beginning of a file, that a killed attempt has left, would be up to date for make.
                self.remove(target)
        for step, target in zip(self.known.as_json()["steps"], self.known.order, strict=True):
            code, error = self.step(step, target)
            if code != 0:
                text = f"step '{step['id']}' ended with exit code {code}: {error}"
                return {"status": "failed", "exit_code": code, "outputs": {}, "error": text}
        results = {}
        for name in self.known.goals():
            if (self.folder / name).is_file():
                target_path = self.root / "outputs" / name
                target_path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.folder / name, target_path)
                results[label(name)] = file_value(target_path, f"outputs/{name}")
        shutil.rmtree(self.work)
        return {"status": "completed", "exit_code": 0, "outputs": results, "error": ""}

    def remove(self, target: Target) -> None:
        """Remove what a recipe has begun to write."""
        path = self.folder / target.name
        if path.is_file() or path.is_symlink():
            path.unlink()

    def value(self, name: str) -> dict[str, Any] | None:
        """Return a file that a step reads; None for a folder, or what is not there."""
        path = self.folder / name
        if not path.is_file():
            return None
        location = str(self.files[name]["location"]) if name in self.files else ""
        if not location and name not in {target.name for target in self.known.order}:
            location = f"workflow/{(Path(self.entry).parent / name).as_posix()}"
        return file_value(path, location)

    def step(self, step: dict[str, Any], target: Target) -> tuple[int, str]:
        """Make a target and tell of it; return make's exit code, and why it failed."""
        command = ["make", "-f", self.makefile, "--no-print-directory", target.name]
        values: dict[str, Any] = {label(name): self.value(name) for name in step["reads"]}
        values = {name: value for name, value in values.items() if value is not None}
        for pair in self.variables:
            name, _, text = pair.partition("=")
            if re.search(rf"\$[({{]{re.escape(name)}[)}}]", target.recipe):
                values[name] = text
        event = {"id": step["id"], "step": step["id"], "tool": f"{self.entry}#{step['id']}", "name": target.name}
        if target.name in self.done and not target.phony and self.up_to_date(target):
            tell({"event": {**self.done[target.name], "state": "cached", "time": now()}})
            return 0, ""
        started = now()
        tell({"event": {**event, "state": "started", "time": started, "started": started, "inputs": values}})
        log = self.logs / f"{step['id']}.log"
        code, resources = self.execute([*command, *self.variables], log)
        made = self.folder / target.name
        error = "" if code == 0 else self.tail(log)
        if code != 0 and not target.phony:
            self.remove(target)
        event |= {
            "state": "completed" if code == 0 else "failed", "started": started, "ended": now(), "exit_code": code,
            "command": [*command, *self.variables], "resources": resources, "error": error, "inputs": values,
            "log": str(log.relative_to(self.root)),
            "outputs": {label(target.name): file_value(made)} if not target.phony and made.is_file() else {},
        }  # fmt: skip
        event["time"] = event["ended"]
        self.tail(log)
        if code == 0:
            self.done[target.name] = event
            temporary = self.journal.with_suffix(".tmp")
            temporary.write_text(json.dumps(self.done))
            temporary.rename(self.journal)
        tell({"event": event})
        # make's own exit code is 2 for whatever a recipe ended with; that stands in its last line.
        inner = re.search(r"\] Error (\d+)", error)
        return (int(inner[1]) if inner else code), error

    def up_to_date(self, target: Target) -> bool:
        """Ask make whether there is anything to do."""
        command = ["make", "-q", "-f", self.makefile, target.name, *self.variables]
        return subprocess.run(command, cwd=self.folder, capture_output=True, check=False).returncode == 0

    def execute(self, command: list[str], log: Path) -> tuple[int, dict[str, float]]:
        """Run make; return its exit code and what it and its children used."""
        began = datetime.datetime.now()
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = (datetime.datetime.now() - began).total_seconds()
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        return code, {
            "cpu_seconds": used.ru_utime + used.ru_stime, "wall_seconds": wall, "max_memory_bytes": used.ru_maxrss * 1024,
        }  # fmt: skip

    def tail(self, log: Path) -> str:
        """Return the last lines of a log, and clean it of the paths of this machine."""
        text = log.read_text("utf-8", "replace")
        if str(self.root) in text:
            text = text.replace(str(self.root), ".")
            log.write_text(text, "utf-8")
        return " | ".join(text.rstrip().split("\n")[-TAIL:])


def answer(order: dict[str, Any]) -> None:
    """Do what a line asks for."""
    try:
        if order["do"] == "describe":
            entry = Path(order["entry"])
            known = Known(Path(order["tree"]) / entry.parent, entry.name, [])
            tell({"known": known.as_json()})
        else:
            tell({"result": Run(order).run()})
    except Broken as problem:
        found = re.match(r"(\S+?:\d+): (.*)", str(problem))
        where, why = (found[1], found[2]) if found else (order["entry"], str(problem))
        tell({"problem": {"where": where, "why": why}})


if __name__ == "__main__":
    # Only our own lines reach stdout, whatever make prints.
    OUT = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        answer(json.loads(line.decode("utf-8", "surrogateescape")))
