"""Make-believe installed distributions, to test how plugins are found without installing any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def write_distribution(
    site: Path,
    name: str,
    version: str = "1.0",
    entry_points: Mapping[str, Mapping[str, str]] | None = None,
    modules: Mapping[str, str] | None = None,
    requires: Sequence[str] = (),
) -> None:
    """Write modules and a `.dist-info` into the folder `site`, as an installer would.

    `entry_points` is group → name → module; `modules` is module name → source; `requires` are the
    requirements that its metadata state, `wfx-core>=0.1,<0.2`. Put `site` on `sys.path` to see it.
    """
    site.mkdir(parents=True, exist_ok=True)
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
    lines = []
    for group, points in (entry_points or {}).items():
        lines += [f"[{group}]", *(f"{key} = {module}" for key, module in points.items()), ""]
    (info / "entry_points.txt").write_text("\n".join(lines))
    for module, source in (modules or {}).items():
        (site / f"{module}.py").write_text(source)
