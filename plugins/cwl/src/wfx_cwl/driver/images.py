"""Tools that ask for container images: given the ones that are loaded, under the names that the runtime has for them.

cwltool pulls nothing: what is not loaded does not run.
"""

from __future__ import annotations

import hashlib
from typing import Any

from .names import aslist

# CWL v1.2 CommandLineTool §5.3: where an image comes from; the loaded one stands in for all of them.
SOURCES = ("dockerPull", "dockerLoad", "dockerImport", "dockerFile", "dockerImageId")


def need_of(requirement: Any) -> dict[str, str] | None:
    """Return what a DockerRequirement asks for, in the terms of `wfx.engines.ImageNeed`; None for nothing.

    Of several sources the one that can be pinned best counts: a name before a file, a file before a text to build.
    """
    need = {key: str(requirement[key]) for key in SOURCES if (requirement or {}).get(key)}
    which = need.get("dockerImageId", "")
    if "dockerPull" in need:
        return {"image": need["dockerPull"]}
    if "dockerLoad" in need:
        return {"image": need["dockerLoad"], "source": "file", "name": which}
    if "dockerImport" in need:
        return {"image": need["dockerImport"], "source": "filesystem", "name": which}
    if "dockerFile" in need:
        text = need["dockerFile"]
        return {"image": f"dockerFile:{hashlib.sha256(text.encode()).hexdigest()[:12]}", "source": "recipe",
                "recipe": text, "name": which}  # fmt: skip
    return {"image": which} if which else None


class Images:
    """The images of a run."""

    def __init__(self, message: dict[str, Any] | None) -> None:
        self.runtime = str(message["runtime"]) if message else ""
        self.network = bool(message and message.get("network"))
        self._loaded: dict[str, dict[str, str]] = dict(message["images"]) if message else {}
        self._names = {image["name"]: name for name, image in self._loaded.items()}

    def configure(self, context: Any) -> None:
        """Set cwltool's own options."""
        context.use_container = bool(self.runtime)
        context.podman = self.runtime == "podman"
        context.singularity = self.runtime == "singularity"
        context.pull_image = False
        # Even where a tool asks for the network (NetworkAccess), unless the user allows it: a run is from what was
        # staged. A tool that does not ask gets none in any case.
        context.custom_net = "none" if self.runtime and not self.network else None

    def give(self, tools: list[Any]) -> None:
        """Name the loaded images in every tool that cwltool has made."""
        for tool in tools:
            for need in [*aslist(tool.requirements), *aslist(tool.hints)]:
                if need.get("class") != "DockerRequirement":
                    continue
                image = self._loaded.get((need_of(need) or {}).get("image", ""))
                if image is not None:
                    for source in SOURCES:
                        need.pop(source, None)
                    need["dockerImageId"] = image["name"]

    def of(self, job: Any) -> dict[str, str]:
        """Return what an event says of the image that a job runs in; nothing where it runs in none."""
        if not self.runtime:
            return {}
        need, _ = job.get_requirement("DockerRequirement")
        name = self._names.get(str((need or {}).get("dockerImageId")), "")
        return {"image": name, "image_digest": self._loaded[name]["digest"]} if name else {}
