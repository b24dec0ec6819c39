"""Images of real programs without any pull: the files of Debian packages that this machine has, with what they need."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from wfx.testing.images import Files, MadeImage, machine_platform, make_image
from wfx.testing.requirements import require, require_program

# What no program reads: most of a package's bytes.
LEFT_OUT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/", "/usr/share/lintian/",
            "/usr/share/bash-completion/", "/usr/share/zoneinfo/", "/usr/share/i18n/", "/usr/lib/x86_64-linux-gnu/gconv/",
            "/usr/include/", "/var/lib/", "/usr/share/python-wheels/", "/usr/share/pixmaps/")  # fmt: skip
NAME = re.compile(r"^\s*([a-z0-9][a-z0-9+.\-]*)")


@functools.cache
def packages_with_needs(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return packages with all that they depend on, as installed here; the test is skipped where one is not."""
    query = require_program("dpkg-query", package="dpkg")
    form = "${Package}\t${Status}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
    listing = subprocess.run([query, "-W", "-f", form], capture_output=True, text=True, check=True).stdout
    needs: dict[str, list[str]] = {}
    provided: dict[str, str] = {}
    for line in listing.splitlines():
        name, status, depends, provides = (*line.split("\t"), "", "")[:4]
        if not status.endswith(" installed"):
            continue
        needs[name] = [option for group in depends.split(",") for option in _names(group.split("|"))]
        for other in _names(provides.split(",")):
            provided.setdefault(other, name)
    found: dict[str, None] = {}
    queue = list(names)
    for name in names:
        require(name in needs, f"the Debian package {name} is not installed")
    while queue:
        name = queue.pop()
        name = name if name in needs else provided.get(name, "")
        if name and name not in found:
            found[name] = None
            queue += needs[name]
    return tuple(sorted(found))


def _names(options: Iterable[str]) -> list[str]:
    return [match[1] for option in options if (match := NAME.match(option))]


def debian_files(*names: str) -> Files:
    """Return the files of packages and of all that they depend on, laid out with everything below `/usr`."""
    packages = packages_with_needs(names)
    listing = subprocess.run(["dpkg-query", "-L", *packages], capture_output=True, text=True, check=True).stdout
    files: Files = {f"{name}/": "" for name in ("proc", "sys", "dev", "root", "etc", "run", "usr/bin", "usr/lib")}
    files |= {"tmp/": "1777", "var/tmp/": "1777"}
    for folder in ("bin", "sbin", "lib", "lib64"):
        files[folder] = f"usr/{folder}"
    for line in listing.splitlines():
        if not line.startswith("/") or line.startswith(LEFT_OUT):
            continue
        # Packages of before the merge of /bin into /usr/bin name the old place.
        path = Path(os.path.realpath(os.path.dirname(line))) / os.path.basename(line)
        name = str(path).lstrip("/")
        if str(path).startswith(LEFT_OUT) or name in files:
            continue
        if path.is_symlink():
            files[name] = os.readlink(path)
        elif path.is_file() and os.access(path, os.R_OK) and not str(path).startswith("/etc/"):
            files[name] = path
    # The name under which a program is called may be the administrator's choice (update-alternatives).
    for name in ("awk", "python3", "perl"):
        link = Path("/usr/bin") / name
        if link.exists() and f"usr/bin/{name}" not in files and f"usr/bin/{link.resolve().name}" in files:
            files[f"usr/bin/{name}"] = link.resolve().name
    files["etc/passwd"] = b"root:x:0:0:root:/root:/bin/sh\n"
    files["etc/group"] = b"root:x:0:\n"
    return files


def debian_image(*names: str) -> MadeImage:
    """Return an image of packages, in one layer that is not packed: it goes no further than this machine."""
    labels = {"org.opencontainers.image.title": " ".join(names)}
    return make_image(
        [debian_files(*names)], platform=machine_platform(), config={"Labels": labels}, compression="",
    )  # fmt: skip
