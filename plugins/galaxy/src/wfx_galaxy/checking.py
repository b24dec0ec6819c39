"""Whether a server can run a workflow: its tools and their versions, and the room that is left to the user."""

from __future__ import annotations

from collections.abc import Sequence

from wfx.engines import Description
from wfx.errors import EngineError, FetchError, ReferenceNotFound

from wfx_galaxy.describing import tool_of
from wfx_galaxy.model import short_tool, versionless
from wfx_galaxy.server import Server


def tools_of(description: Description) -> list[tuple[str, str, str]]:
    """Return (tool, version, first step that uses it) of every tool, subworkflows' too."""
    first: dict[str, str] = {}
    for step in description.steps:
        first.setdefault(step.tool, step.id)
    return [
        (*tool_of(tool.id), first.get(tool.id, "")) for tool in description.tools if tool.kind == "command" and tool.id
    ]


def check_tools(server: Server, description: Description, *, other_versions: bool) -> list[str]:
    """Return a line for each tool that the server has in another version.

    Raises EngineError that lists all that it lacks, and, unless `other_versions` will do, all that differ.
    """
    missing: list[str] = []
    differing: list[str] = []
    for tool, version, path in tools_of(description):
        there = versions_on(server, tool)
        shown = f"{short_tool(tool)} {version}".strip()
        if not there:
            missing.append(f"{shown} ({tool}; step '{path}')")
        elif version and version not in there:
            differing.append(f"{shown} (step '{path}'): it has {', '.join(there[-3:])}")
    if missing:
        raise EngineError(
            f"the server lacks {_count(len(missing), 'tool')} of the workflow", where=server.base_url,
            why="; ".join(missing), remedy="ask its administrators to install them, or choose another server with --site",
        )  # fmt: skip
    if differing and not other_versions:
        raise EngineError(
            f"the server has {_count(len(differing), 'tool')} in another version", where=server.base_url,
            why="; ".join(differing), remedy="set other_versions = true for the site where the results may differ",
        )  # fmt: skip
    return [f"the server's version of a tool differs: {line}" for line in differing]


def versions_on(server: Server, tool: str) -> list[str]:
    """Return the versions of a tool that the server has; of one from the Tool Shed all of its repository's."""
    for identifier in dict.fromkeys((tool, versionless(tool))):
        try:
            told = server.get(f"tools/{identifier}")
        except ReferenceNotFound:
            continue
        except FetchError as error:
            # Some servers answer for a tool that they lack with a fault of their own.
            if "No tool" in str(error) or "not found" in str(error).lower() or "Could not find" in str(error):
                continue
            raise
        versions = told.get("versions") or [told.get("version")]
        return [str(version) for version in versions if version]
    return []


def check_quota(server: Server, sizes: Sequence[int]) -> list[str]:
    """Return what the user should know of the room left; raises EngineError where the inputs do not fit."""
    user = server.get("users/current")
    quota, used = user.get("quota_bytes"), user.get("total_disk_usage") or 0
    total = sum(sizes)
    if not isinstance(quota, (int, float)):
        return []
    left = quota - used
    if total > left:
        raise EngineError(
            f"the inputs have {total / 1e9:.2f} GB, and {max(0.0, left) / 1e9:.2f} GB of the quota are left",
            where=server.base_url, remedy="delete what you no longer need there, or ask for more",
        )  # fmt: skip
    return [f"{total / 1e9:.2f} GB go to {server.base_url}, where {left / 1e9:.2f} GB of the quota are left"]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
