"""The sandbox: bubblewrap around whatever executes other people's code.

Inside, the system is read-only, there is no home, no network and no other process; the run directory is writable at
its own path, but for inputs and workflow. What other users may not read on this machine is hidden from a root user's
sandbox as well.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import site
import stat
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wfx.errors import MachineError, PolicyError, UsageError

INSTALL = "install bubblewrap (apt install bubblewrap)"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/gnu")
# Read by common programs: TeX, fontconfig, and everybody who counts processors.
SYSTEM_DATA = ("/var/lib/texmf", "/var/cache/fontconfig", "/sys/devices/system/cpu")
# What a container's root may do, less all that reaches beyond the files of the sandbox.
ROOT_KEEPS = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_SETGID", "CAP_SETUID", "CAP_KILL")
# Files beside the ones that they will replace: `/etc/shadow.4711`, `/etc/passwd.lock`.
PASSING = re.compile(r"\.(\d+|lock|tmp)$")
PASSING_SECONDS = 0.05
NAMESPACES = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "wfx",
              "--die-with-parent", "--new-session")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Bubblewrap as this machine has it, or none. Made by `choose`."""

    program: str = ""
    """Path of `bwrap`; empty where there is no sandbox."""
    version: str = ""
    problem: str = ""
    """Why there is none, for people."""

    @property
    def active(self) -> bool:
        """Whether commands are confined."""
        return bool(self.program)

    @classmethod
    def choose(cls, mode: str) -> Sandbox:
        """Take the sandbox by the user's word: `auto`, `require` or `none`.

        Raises PolicyError for `require` where there is none, UsageError for another word.
        """
        if mode not in ("auto", "require", "none"):
            raise UsageError(f"sandbox {mode!r} is not one of auto, require, none")
        if mode == "none":
            return cls(problem="it is switched off")
        found = _probe(shutil.which("bwrap") or "")
        if mode == "require" and not found.active:
            remedy = INSTALL if not shutil.which("bwrap") else "use --sandbox none to run without"
            raise PolicyError("a sandbox is required and there is none", why=found.problem, remedy=remedy)
        return found

    def describe(self) -> str:
        """Return the words for the run record: `bubblewrap 0.8.0` or `none`."""
        return f"bubblewrap {self.version}" if self.active else "none"

    def wrap(
        self,
        command: Sequence[str],
        *,
        directory: Path,
        cwd: Path,
        read_only: Sequence[Path] = (),
        readable: Sequence[Path] = (),
        writable: Sequence[Path] = (),
        network: bool = False,
        containers: bool = False,
    ) -> list[str]:
        """Return the command line that runs `command` in the sandbox; the command itself where there is none.

        `directory` is writable at its own path, `read_only` lie below it, `readable` and `writable` anywhere. With
        `containers` the command starts containers of its own, which takes rights and more of the system than tools get;
        what it runs in them is confined by them.
        """
        if not self.active:
            return list(command)
        arguments = [self.program, *NAMESPACES, *([] if network else ["--unshare-net"])]
        if containers:
            arguments += ["--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--proc", "/proc", *_private_etc()]
            arguments += ["--bind-try", "/sys/fs/cgroup", "/sys/fs/cgroup"]
            home = Path("~").expanduser()
            arguments += ["--tmpfs", str(home)] if len(home.parts) > 1 and home.is_dir() else []
        else:
            arguments += [*_capabilities(), *_system(), "--proc", "/proc", "--dev", "/dev"]
        for folder in ("/tmp", "/var/tmp", "/run"):  # noqa: S108 (they are new and empty in there)
            arguments += ["--tmpfs", folder]
        if network:
            arguments += _name_service()
        for path in _without_nested([*_interpreter(), *_of_command(command[0]), *_search_path(), *readable]):
            arguments += ["--ro-bind-try", str(path), str(path)]
        for path in writable:
            arguments += ["--bind", str(path), str(path)]
        arguments += ["--bind", str(directory), str(directory)]
        for path in read_only:
            arguments += ["--ro-bind", str(path), str(path)]
        return [*arguments, "--chdir", str(cwd), "--", *command]


def needs_trust(sandboxed: bool, workflow_is_local: bool, trusted: bool) -> None:
    """Refuse to execute a workflow from elsewhere without a sandbox, unless the user trusts it. Raises PolicyError."""
    if sandboxed or workflow_is_local or trusted:
        return
    raise PolicyError(
        "a workflow from elsewhere is not run without a sandbox",
        why="it is a program, and could read and change whatever you can",
        remedy=f"{INSTALL}, or pass --trust if you trust its authors",
    )


@functools.cache
def _probe(program: str) -> Sandbox:
    """Look whether bubblewrap works here: it may be installed where the kernel lets nobody use it."""
    if sys.platform != "linux":
        return Sandbox(problem=f"there is no bubblewrap for {sys.platform}")
    if not program:
        return Sandbox(problem=f"bubblewrap is not installed; {INSTALL}")
    trial = [program, *NAMESPACES, "--unshare-net", *_capabilities(), "--ro-bind", "/", "/", "--proc", "/proc",
             "--dev", "/dev", "--", program, "--version"]  # fmt: skip
    try:
        done = subprocess.run(
            trial, capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return Sandbox(problem=f"bubblewrap does not run: {error}")
    if done.returncode != 0:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        hint = " (user namespaces are refused here)" if "namespace" in said or "Operation not permitted" in said else ""
        return Sandbox(problem=f"bubblewrap does not work here{hint}: {said[:300]}")
    return Sandbox(program, done.stdout.split()[-1] if done.stdout.split() else "")


def _capabilities() -> list[str]:
    if os.geteuid() != 0:
        return []
    kept = [argument for name in ROOT_KEEPS for argument in ("--cap-add", name)]
    return ["--cap-drop", "ALL", *kept]


def _system() -> list[str]:
    arguments: list[str] = []
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            arguments += ["--ro-bind", name, name]
    for name in SYSTEM_DATA:
        arguments += ["--ro-bind-try", name, name]
    return arguments + _private_etc()


@functools.cache
def _private_etc() -> list[str]:
    """Hide what only root may read in /etc (password hashes, keys). Anybody else the permissions stop already."""
    if os.geteuid() != 0:
        return []
    arguments: list[str] = []
    folders = ["/etc"]
    while folders:
        for entry in os.scandir(folders.pop()):
            try:
                mode = entry.stat(follow_symlinks=False).st_mode
            except FileNotFoundError:
                continue  # it was there for a moment only
            if stat.S_ISDIR(mode):
                if mode & stat.S_IROTH:
                    folders.append(entry.path)
                else:
                    arguments += ["--tmpfs", entry.path]
            elif stat.S_ISREG(mode) and not mode & stat.S_IROTH and not _passes(entry.path):
                arguments += ["--ro-bind", "/dev/null", entry.path]
    return arguments


def _passes(path: str) -> bool:
    """Say whether a file is one of those that `useradd` and its like write for a moment: nothing can be mounted there."""
    if not PASSING.search(path):
        return False
    time.sleep(PASSING_SECONDS)
    return not os.path.lexists(path)


def _name_service() -> list[str]:
    """Bring the file that resolv.conf may be a link to, which lies in the hidden /run."""
    target = os.path.realpath("/etc/resolv.conf")
    return [] if target.startswith("/etc/") else ["--ro-bind-try", target, target]


# -- what of the user's folders an engine's program needs


@functools.cache
def _interpreter() -> tuple[Path, ...]:
    """Return where this Python and its packages lie: prefixes, site-packages, and the sources of editable installs."""
    found = [Path(p) for p in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)]
    sites = [Path(p) for p in site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        sites.append(Path(site.getusersitepackages()))
    found += [*sites, *_of_command(sys.executable), Path(__file__).resolve().parent]
    # A plugin that was installed with `--target` has its driver there.
    found += [Path(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    for folder in sites:
        found += _path_files(folder)
        found += _editables(folder)
    return tuple(path for path in found if path.is_absolute())


def _path_files(folder: Path) -> Iterator[Path]:
    """Return the folders that `.pth` files name (Python library reference, module site)."""
    for file in folder.glob("*.pth"):
        for line in file.read_text(errors="replace").splitlines():
            if line.strip() and not line.startswith(("#", "import ", "import\t")):
                yield folder / line.strip()


def _editables(folder: Path) -> Iterator[Path]:
    """Return the sources of editable installs that are found by an import hook (PEP 610, PEP 660)."""
    for file in folder.glob("*.dist-info/direct_url.json"):
        try:
            origin = json.loads(file.read_bytes())
        except ValueError:
            continue
        if origin.get("dir_info", {}).get("editable"):
            yield Path(urllib.parse.unquote(urllib.parse.urlsplit(origin["url"]).path))


def _of_command(name: str) -> Iterator[Path]:
    """Return the installation that a program belongs to, and those that the links on the way to it pass through."""
    path = Path(shutil.which(name) or name)
    for _ in range(10):
        if not path.is_absolute():
            return
        yield path.parent.parent if path.parent.name == "bin" else path.parent
        if not path.is_symlink():
            return
        path = Path(os.path.normpath(path.parent / path.readlink()))


@functools.lru_cache(maxsize=4)
def _searched(search: str) -> tuple[Path, ...]:
    found: list[Path] = []
    for folder in map(Path, search.split(os.pathsep)):
        if folder.is_absolute() and folder.is_dir():
            conda = folder.name == "bin" and (folder.parent / "conda-meta").is_dir()
            # pyenv, rbenv, asdf, mise: programs that look for the real ones beside their folder.
            found.append(folder.parent if conda or folder.name == "shims" else folder)
    return tuple(found)


def _search_path() -> tuple[Path, ...]:
    """Return the folders of PATH, whole environments of conda and pyenv: tools without a container come from there."""
    return _searched(os.environ.get("PATH", os.defpath))


def _without_nested(paths: Sequence[Path]) -> list[Path]:
    """Leave out what the system's folders or another of the paths contain, and what would show a whole home.

    Raises MachineError where something that is needed is a home itself.
    """
    home = Path("~").expanduser()
    kept: list[Path] = []
    for path in sorted({Path(os.path.normpath(p)) for p in paths}, key=lambda p: len(p.parts)):
        if path == home or path in home.parents:
            if path in map(Path, (sys.prefix, sys.base_prefix)) and path != Path("/usr"):
                raise MachineError("Python is installed in a home itself", where=str(path), remedy="use --sandbox none")
            continue
        if str(path) in SYSTEM or any(str(path).startswith(folder + "/") for folder in SYSTEM):
            continue
        if not any(parent in kept for parent in path.parents):
            kept.append(path)
    return kept
