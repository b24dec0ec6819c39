"""What engines write after `docker`, read into data: for runtimes whose own command line is another one.

A factory whose capabilities say `speaks=("docker",)` gives engines a program that takes Docker's command line, and every
engine that drives Docker drives it. Such a program is as short as this::

    match read_docker_line(sys.argv[1:]):
        case ContainerStart() as start:
            os.execvp("my-runtime", [..., start.image, *start.command])
        case ImageLook(images):
            sys.exit(0 if all(map(is_loaded, images)) else 1)

Read are `run` and `create` with all options of Docker 28, and `inspect` of images. Nothing here starts anything.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wfx.errors import UsageError

# Docker's options without a value; every other has one (`docker run --help`).
FLAGS = frozenset({
    "detach", "disable-content-trust", "help", "init", "interactive", "no-healthcheck", "oom-kill-disable", "privileged",
    "publish-all", "quiet", "read-only", "rm", "sig-proxy", "tty", "use-api-socket",
})  # fmt: skip
SHORT = {
    "a": "attach", "c": "cpu-shares", "d": "detach", "e": "env", "h": "hostname", "i": "interactive", "l": "label",
    "m": "memory", "P": "publish-all", "p": "publish", "q": "quiet", "t": "tty", "u": "user", "v": "volume", "w": "workdir",
}  # fmt: skip
TRUE = ("", "1", "t", "true")


@dataclass(frozen=True, slots=True)
class ContainerMount:
    """Something of the machine that a container sees."""

    source: str
    """Absolute path on the machine; empty for an empty folder in memory (tmpfs)."""
    target: str
    """Absolute path in the container."""
    writable: bool = True


@dataclass(frozen=True, slots=True)
class ContainerStart:
    """A container to start: `docker run [OPTION…] IMAGE [COMMAND…]`."""

    image: str
    """As the engine names it: `LoadedImage.name`."""
    command: tuple[str, ...] = ()
    mounts: tuple[ContainerMount, ...] = ()
    """In the order in which they are to be made."""
    folder: str = ""
    """Where the command begins; empty for where the image says."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What is added to the image's own."""
    entrypoint: tuple[str, ...] | None = None
    """In place of the image's; empty for none at all."""
    network: str = ""
    """`none`, or what else the engine asks for; empty where it says nothing."""
    user: str = ""
    """`UID[:GID]`."""
    name: str = ""
    read_only: bool = False
    """Whether the image's own files may not be written to."""
    id_file: str = ""
    """Where to write the container's id."""
    options: tuple[tuple[str, str], ...] = ()
    """All others, by their long names: limits, labels, devices. A runtime may leave out what it does not have."""


@dataclass(frozen=True, slots=True)
class ImageLook:
    """A look whether images are there: `docker inspect IMAGE…`. The answer is the exit code, and a list in JSON."""

    images: tuple[str, ...]


def read_docker_line(
    arguments: Sequence[str], environment: Mapping[str, str] = os.environ
) -> ContainerStart | ImageLook:
    """Read a command line without its first word, `docker`. `environment` has the values of `--env NAME`.

    Raises UsageError for another verb than run, create and inspect, and for what Docker would refuse.
    """
    words = list(arguments)
    group = words.pop(0) if words and words[0] in ("container", "image") else ""
    verb = words.pop(0) if words else ""
    if verb in ("run", "create") and group != "image":
        return _start(words, environment)
    if verb == "inspect" and group != "container":
        return ImageLook(tuple(_plain(words)))
    raise UsageError(f"it has no command '{' '.join(filter(None, (group, verb)))}'", remedy="run or inspect")


def _plain(words: list[str]) -> Iterator[str]:
    for name, value in _options(words, frozenset({"size"}), {"f": "format", "s": "size"}):
        if not name:
            yield value


def _options(words: list[str], flags: frozenset[str], short: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield options by their long names, then each other word without a name; what is taken is taken off the list."""
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            name, mark, value = word[2:].partition("=")
            yield name, value if mark or name in flags else _value(words, word)
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter not in short:
                raise UsageError(f"it has no option -{letter}", where=word)
            name = short[letter]
            if name in flags and not letters.startswith("="):
                yield name, ""
                continue
            yield name, letters.removeprefix("=") if letters else _value(words, word)
            letters = ""
    while words:
        yield "", words.pop(0)


def _value(words: list[str], option: str) -> str:
    if not words:
        raise UsageError(f"the option {option} has no value")
    return words.pop(0)


def _start(words: list[str], environment: Mapping[str, str]) -> ContainerStart:
    mounts: list[ContainerMount] = []
    variables: dict[str, str] = {}
    single: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    plain: list[str] = []
    for name, value in _options(words, FLAGS, SHORT):
        match name:
            case "":
                plain.append(value)
            case "volume":
                mounts.append(_volume(value))
            case "mount":
                mounts.append(_mount(value))
            case "tmpfs":
                mounts.append(ContainerMount("", value.partition(":")[0]))
            case "env":
                variable, mark, text = value.partition("=")
                if mark or variable in environment:
                    variables[variable] = text if mark else environment[variable]
            case "env-file":
                variables |= _file(value, environment)
            case "workdir" | "entrypoint" | "user" | "name" | "cidfile" | "read-only":
                single[name] = value
            case "network" | "net":
                single["network"] = value
            case _:
                others.append((name, value))
    if not plain:
        raise UsageError("it names no image to run")
    entrypoint = None if "entrypoint" not in single else tuple(filter(None, (single["entrypoint"],)))
    return ContainerStart(
        plain[0], tuple(plain[1:]), tuple(mounts), single.get("workdir", ""), variables, entrypoint,
        single.get("network", ""), single.get("user", ""), single.get("name", ""),
        single.get("read-only", "false").lower() in TRUE, single.get("cidfile", ""), tuple(others),
    )  # fmt: skip


def _volume(text: str) -> ContainerMount:
    """Read `SOURCE:TARGET[:OPTIONS]`."""
    source, _, rest = text.partition(":")
    target, _, options = rest.partition(":")
    if not source.startswith("/") or not target.startswith("/"):
        raise UsageError("a volume is not a path of this machine and one of the container", where=text)
    return ContainerMount(source, target, "ro" not in options.split(","))


def _mount(text: str) -> ContainerMount:
    """Read `type=bind,source=SOURCE,target=TARGET[,readonly]`, which is a line of CSV."""
    fields: dict[str, str] = {}
    for part in next(csv.reader([text]), []):
        key, _, value = part.partition("=")
        fields[key.lower()] = value
    kind = fields.get("type", "volume")
    source = fields.get("source", fields.get("src", ""))
    target = fields.get("target", fields.get("dst", fields.get("destination", "")))
    if kind not in ("bind", "tmpfs") or not target.startswith("/") or (kind == "bind" and not source.startswith("/")):
        raise UsageError("a mount is neither a path of this machine nor a tmpfs", where=text)
    read_only = fields.get("readonly", fields.get("ro", "false")).lower() in TRUE
    return ContainerMount(source if kind == "bind" else "", target, not read_only)


def _file(path: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Read a file of variables, one a line."""
    variables = {}
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, ValueError) as error:
        raise UsageError("a file of variables cannot be read", where=path, why=str(error)) from error
    for line in lines:
        name, mark, text = line.strip().partition("=")
        if name and not name.startswith("#") and (mark or name in environment):
            variables[name] = text if mark else environment[name]
    return variables
