"""Values in the place of inputs that nobody has given yet, so that a workflow can be looked at without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

NAME = "wfx"


def values(parameters: list[dict[str, Any]], workdir: Path) -> dict[str, Any]:
    """Return a value for each input that has none of its own and must have one."""
    return {
        item["id"]: value(item["type"], item["id"], workdir)
        for item in parameters
        if not item.get("has_default") and not _optional(item["type"])
    }


def _optional(kind: dict[str, Any]) -> bool:
    return kind["kind"] == "null" or any(map(_optional, kind.get("alternatives", ())))


def value(kind: dict[str, Any], name: str, workdir: Path) -> Any:
    """Return a value of a type; files are empty, and lie in the working directory."""
    match kind["kind"]:
        case "File" | "Directory":
            path = workdir / "wfx-stand-ins" / name
            if kind["kind"] == "Directory":
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            return str(path.relative_to(workdir))
        case "array":
            return [value(kind["items"], name, workdir)]
        case "union":
            return value(kind["alternatives"][0], name, workdir)
        case "enum":
            return kind["symbols"][0]
        case "record":
            return {field["name"]: value(field["type"], name, workdir) for field in kind["fields"]}
        case "boolean":
            return False
        case "int" | "float":
            return 1
        case "null":
            return None
    return NAME
