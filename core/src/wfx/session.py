"""A session: what one command shares between the stages, each part made when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from wfx.config import Config, Directories
from wfx.plugins import PluginManager
from wfx.references import Reference

if TYPE_CHECKING:
    from wfx.fetching import Fetched, Source
    from wfx.net import Contact, Net, NetSettings
    from wfx.progress import Progress
    from wfx.store import Store


class Session:
    """Configuration, plugins, store, network gate and display of one command. Close it, or use it as a context."""

    def __init__(
        self,
        config: Config | None = None,
        *,
        offline: bool = False,
        plugins: PluginManager | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.config = config or Config.load()
        self.offline = offline
        self.plugins = plugins or PluginManager()
        self.progress = progress
        self._nets: list[Net] = []

    @property
    def directories(self) -> Directories:
        """Where the store, the register of runs and the configuration lie."""
        return self.config.directories

    @cached_property
    def store(self) -> Store:
        """The store of fetched things."""
        from wfx.store import Store

        return Store(self.directories.store)

    @cached_property
    def net(self) -> Net:
        """The gate to the network."""
        from wfx.net import Net
        from wfx.net.credentials import Credentials

        net = Net(
            offline=self.offline,
            settings=net_settings(self.config),
            credentials=Credentials(config_dir=self.directories.config),
        )
        self._nets.append(net)
        return net

    def fetch(
        self,
        sources: Sequence[Source],
        *,
        purpose: str = "fetch",
        behalf: Reference | None = None,
        refresh: bool = True,
    ) -> list[Fetched]:
        """Fetch into the store, in the order of `sources`.

        `behalf` is the document that names them, where they are not the user's own references: then what the document
        may not name is refused (`Net.on_behalf_of`).
        """
        from wfx.archives.rules import Limits
        from wfx.downloading import FetchSettings, fetch

        net = self.net.on_behalf_of(behalf, purpose) if behalf is not None else self.net
        settings = FetchSettings(
            jobs=self.config.get_int("fetch.jobs"),
            connections=self.config.get_int("fetch.connections"),
            retries=self.config.get_int("fetch.retries"),
            low_speed_time=self.config.get_float("fetch.low_speed_time"),
            max_bytes=self.config.get_int("fetch.max_bytes"),
            archive=Limits(
                entries=self.config.get_int("archive.max_entries"),
                bytes=self.config.get_int("archive.max_bytes"),
                ratio=self.config.get_int("archive.max_ratio"),
            ),
        )
        return fetch(
            sources, store=self.store, net=net, plugins=self.plugins, progress=self.progress, settings=settings,
            refresh=refresh,
        )  # fmt: skip

    def local_copy(self, reference: Reference, behalf: Reference | None = None) -> Path:
        """Return a path with the bytes of a reference: its own, or the store's after a fetch.

        `behalf` is as in `fetch`.
        """
        from wfx.errors import InputError
        from wfx.fetching import Source

        if reference.is_local:
            return reference.path
        [fetched] = self.fetch([Source(reference)], behalf=behalf)
        if fetched.local is not None:
            return fetched.local
        path = self.store.blob(fetched.sha256) if fetched.kind == "file" else None
        if path is None:
            raise InputError("it is a folder, not a file", where=str(reference))
        return path

    def deliver(self, fetched: Fetched, target: Path) -> Path:
        """Write what was fetched to a place of the user's: of a workflow's tree all of it, unless a part was named.

        Raises MachineError where something is there already.
        """
        from wfx.errors import MachineError
        from wfx.treeparts import entry_of

        tree = fetched.tree if fetched.tree and not entry_of(fetched.reference) else ""
        if target.exists() and (fetched.kind == "directory" or tree or target.is_dir()):
            raise MachineError("there is something already", where=str(target), remedy="name another place with -o")
        target.parent.mkdir(parents=True, exist_ok=True)
        if fetched.local is not None and fetched.kind == "directory":
            self.store.copy_tree(fetched.local, target)
        elif fetched.local is not None:
            self.store.copy_file(fetched.local, target)
        elif tree or fetched.kind == "directory":
            self.store.place_tree(tree or fetched.sha256, target)
        else:
            self.store.place(fetched.sha256, target)
        return target

    def contacts(self) -> tuple[Contact, ...]:
        """Return the hosts that were reached in this session."""
        return self.net.contacts() if "net" in self.__dict__ else ()

    def scratch(self) -> Path:
        """Return a new empty folder for the time of the session."""
        import tempfile

        parent = self.directories.cache / "scratch"
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent))
        self._scratch.append(folder)
        return folder

    @cached_property
    def _scratch(self) -> list[Path]:
        return []

    def close(self) -> None:
        """Let go of connections, the index and scratch folders."""
        import shutil

        for folder in self._scratch:
            shutil.rmtree(folder, ignore_errors=True)
        self._scratch.clear()
        if "net" in self.__dict__:
            self.net.close()
        if "store" in self.__dict__:
            self.store.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def net_settings(config: Config) -> NetSettings:
    """Return the settings of the network gate."""
    from wfx.net import NetSettings

    return NetSettings(
        idle_timeout=config.get_float("fetch.idle_timeout"),
        ca_bundle=config.get_str("net.ca_bundle") or None,
        allow_private_hosts=tuple(config.get_list("net.allow_private_hosts")),
        sections={name: section for name, section in config.sections.items() if name.startswith("fetcher.")},
    )
