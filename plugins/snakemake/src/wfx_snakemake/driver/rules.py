"""Rules as tools and steps, and how they hang together for the workflow's own config."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .parameters import read
from .problems import Places, address_of

RULE = re.compile(r"^[ \t]*(?:rule|checkpoint)[ \t]+(\w+)[ \t]*:", re.M)
CONTAINER = re.compile(r"""^[ \t]+(?:container|singularity)[ \t]*:\s*["']([^"'{}\n]+)["']""", re.M)
CONDA = "conda environment"
FILES: dict[str, Any] = {"kind": "union", "alternatives": [{"kind": "File"}, {"kind": "Directory"}]}


def tool_id(document: str, rule: str) -> str:
    """Return the id of a rule's tool."""
    return f"{document}#{rule}"


def named(items: Any, unnamed: str) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a rule's or a job's input or output by name; those without one are `unnamed`, as a list."""
    others = []
    for name, item in items._allitems():
        if name is None:
            others.append(item)
        else:
            yield str(name), item
    if others:
        yield unnamed, others


def is_target(rule: Any) -> bool:
    """Say whether a rule only gathers the files of others."""
    return not rule.output and (rule.norun or not (rule.shellcmd or rule.script or rule.run_func))


class Rules:
    """What is known of a workflow's rules."""

    def __init__(self) -> None:
        self.tools: dict[str, dict[str, Any]] = {}
        self.steps: list[dict[str, Any]] = []
        self.connections: list[dict[str, str]] = []
        self.images: list[dict[str, Any]] = []

    @classmethod
    def of_texts(cls, texts: dict[str, str]) -> Rules:
        """Read the names of rules from the documents, where the workflow cannot be loaded."""
        rules = cls()
        for document, text in texts.items():
            for match in RULE.finditer(text):
                name = match[1]
                if name == "all" or any(step["id"] == name for step in rules.steps):
                    continue
                end = text.find("\n\n\n", match.end())
                following = RULE.search(text, match.end())
                body = text[match.end() : following.start() if following else end if end > 0 else len(text)]
                image = CONTAINER.search(body)
                rules._add(name, document, {"image": image[1]} if image else {})
        return rules

    @classmethod
    def of_workflow(cls, workflow: Any, places: Places, linemaps: dict[str, dict[int, int]]) -> Rules:
        """Describe the rules of a loaded workflow."""
        rules = cls()
        for rule in workflow.rules:
            if is_target(rule):
                continue
            path = str(rule.snakefile)
            document = path[len(str(places.tree)) + 1 :] if places.owns(path) else places.entry
            rules._add(str(rule.name), document, rules._details(rule, document, places))
        return rules

    def _add(self, name: str, document: str, details: dict[str, Any]) -> None:
        identifier = tool_id(document, name)
        scatter = bool(details.pop("scatter", False))
        self.tools[identifier] = {"id": identifier, "kind": "command", "name": name, "document": document, **details}
        self.steps.append({
            "id": name, "tool": identifier, "position": len(self.steps), "name": name, "doc": details.get("doc", ""),
            "scatter": scatter,
        })  # fmt: skip
        image = details.get("image")
        if image:
            self.images.append({"image": image, "tool": identifier, "required": False})

    def _details(self, rule: Any, document: str, places: Places) -> dict[str, Any]:
        inputs = [parameter(name, value) for name, value in named(rule.input, "input")]
        taken = {item["id"] for item in inputs}
        wildcards = sorted(str(name) for name in rule.wildcard_names)
        inputs += [
            {"id": name, "type": {"kind": "string"}, "doc": "wildcard"} for name in wildcards if name not in taken
        ]
        taken |= set(wildcards)
        inputs += [
            {"id": name, "type": {"kind": "any"}, "doc": "parameter"}
            for name, _ in named(rule.params, "params")
            if name not in taken and name != "params"
        ]
        return {
            "doc": " ".join(str(rule.docstring or "").split()),
            "inputs": inputs,
            "outputs": [parameter(name, value) for name, value in named(rule.output, "output")],
            "image": image_of(rule),
            "software": software_of(rule, places),
            "scatter": bool(wildcards),
        }

    def connect(self, dag: Any) -> None:
        """Note which rule's output is which other's input, and put the steps in that order."""
        known = {step["id"]: step for step in self.steps}
        depth: dict[str, int] = {}
        links: dict[tuple[str, str], None] = {}
        for level, jobs in enumerate(dag.toposorted()):
            for job in jobs:
                name = str(job.rule.name)
                depth[name] = max(depth.get(name, 0), level)
                makers = {str(file): maker for maker, files in dag.dependencies[job].items() for file in files}
                for target, value in named(job.input, "input"):
                    for file in value if isinstance(value, list) else [value]:
                        for item in [file] if isinstance(file, str) else file:
                            maker = makers.get(str(item))
                            if maker is None or name not in known or str(maker.rule.name) not in known:
                                continue
                            source = output_name(maker, str(item))
                            links[f"{maker.rule.name}/{source}", f"{name}/{target}"] = None
        self.connections = [{"source": source, "target": target, "scope": ""} for source, target in links]
        order = sorted(self.steps, key=lambda step: (depth.get(step["id"], len(depth)), step["position"]))
        for position, step in enumerate(order):
            step["position"] = position
        self.steps = order


def output_name(job: Any, file: str) -> str:
    """Return the name of a job's output that a file belongs to."""
    for name, value in named(job.output, "output"):
        items = value if isinstance(value, list) else [value]
        if any(str(item) == file for each in items for item in ([each] if isinstance(each, str) else each)):
            return name
    return "output"


def parameter(name: str, value: Any) -> dict[str, Any]:
    """Describe a file parameter of a rule, as far as its declaration tells whether it is one file or several."""
    if callable(value) or (isinstance(value, list) and any(map(callable, value))):
        return {"id": name, "type": {"kind": "any"}}
    several = isinstance(value, (list, tuple)) and len(value) != 1
    return {"id": name, "type": {"kind": "array", "items": FILES} if several else FILES}


def image_of(rule: Any) -> str | None:
    """Return the container image of a rule, as the workflow writes it; None where wildcards decide."""
    image = getattr(rule, "container_img", None)
    if image is None or callable(image) or "{" in str(image):
        return None
    return str(image)


def software_of(rule: Any, places: Places) -> list[dict[str, Any]]:
    """Return the conda environment of a rule and the packages that its file names."""
    env = getattr(rule, "conda_env", None)
    if env is None:
        return []
    path = conda_path(env)
    if path.endswith((".yaml", ".yml")):
        path = os.path.normpath(os.path.join(address_of(rule.basedir), path))
    software: list[dict[str, Any]] = [{"name": CONDA, "specs": [places.clean(path)]}]
    content = read(Path(path)) if path.startswith("/") else None
    for line in content.get("dependencies", []) if isinstance(content, dict) else []:
        if isinstance(line, str):
            match = re.match(r"^(?:[\w.-]+::)?([\w.-]+)\s*(?:[=<>!~]=?\s*([^,\s=]+))?", line.strip())
            if match:
                software.append({"name": match[1], "versions": [match[2]] if match[2] else []})
    return software


def conda_path(env: Any) -> str:
    """Return the file, or the name, of a rule's conda environment."""
    for attribute in ("file", "name", "dir"):
        value = getattr(env, attribute, None)
        if value is not None:
            return address_of(value)
    return str(env)
