"""`storage()`: files of other places are staged before the run, and Snakemake finds them here.

In the place of each storage plugin stands one of ours, by Snakemake's own interface for them
(snakemake-interface-storage-plugins): it looks into what was staged, and never into the network.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .problems import Broken, Places

INPUT = "storage"
"""Id of the input that holds such files."""
WILDCARD = re.compile(r"\{[^{}]*\}")


def use_staged_files(staged: Mapping[str, str], places: Places) -> None:
    """Give the workflow what was staged, by the query that asks for it; refuse all else by name."""

    def find(query: str) -> str:
        path = staged.get(query)
        if path is not None:
            return str(places.root / path)
        raise Broken(
            "input", f"storage file {query} was not staged", places.entry,
            "only the inputs of this run bring its address into being, and a run has no network",
            f"give it as well: -i {INPUT}=@{query}",
        )  # fmt: skip

    _install(find, places)


def note_files(places: Places) -> list[str]:
    """Have the workflow find every such file, as if it were there; return the list that the queries come into."""
    asked: dict[str, None] = {}
    queries: list[str] = []

    def find(query: str) -> None:
        if query not in asked and not WILDCARD.search(query):
            asked[query] = None
            queries.append(query)

    _install(find, places)
    return queries


def refuse_outputs(dag: Any, places: Places) -> None:
    """Refuse what is to be written to another place: a run writes into its own directory alone."""
    for job in dag.jobs:
        for file in job.output:
            if getattr(file, "is_storage", False):
                raise Broken(
                    "document", f"the rule '{job.rule.name}' writes to {file.storage_object.query}", places.entry,
                    "a run writes into its own directory alone", "have it write a file, and bring that there afterwards",
                )  # fmt: skip


def _install(find: Callable[[str], str | None], places: Places) -> None:
    from snakemake.storage import StorageRegistry
    from snakemake_interface_storage_plugins import storage_object as objects  # type: ignore[import-untyped]
    from snakemake_interface_storage_plugins import storage_provider as providers  # type: ignore[import-untyped]

    class Staged(objects.StorageObjectRead, objects.StorageObjectWrite):  # type: ignore[misc]
        def local_suffix(self) -> str:
            return re.sub(r"^[\w.+-]+://", "", self.query).lstrip("/") or "file"

        async def inventory(self, cache: Any) -> None:
            pass

        def get_inventory_parent(self) -> str | None:
            return None

        def cleanup(self) -> None:
            pass

        def exists(self) -> bool:
            find(self.query)
            return True

        def mtime(self) -> float:
            path = find(self.query)
            return os.stat(path).st_mtime if path else 0.0

        def size(self) -> int:
            path = find(self.query)
            return os.stat(path).st_size if path else 0

        def retrieve_object(self) -> None:
            path, local = find(self.query), Path(self.local_path())
            local.unlink(missing_ok=True)
            if path:
                local.symlink_to(path)

        def store_object(self) -> None:
            raise Broken("document", f"storage file {self.query} cannot be written", places.entry)

        def remove(self) -> None:
            self.store_object()

    class Provider(providers.StorageProviderBase):  # type: ignore[misc]
        @classmethod
        def get_storage_object_cls(cls) -> type:
            return Staged

        @classmethod
        def example_queries(cls) -> list[Any]:
            return []

        @classmethod
        def is_valid_query(cls, query: str) -> Any:
            return providers.StorageQueryValidationResult(query=query, valid=True)

        def rate_limiter_key(self, query: str, operation: Any) -> Any:
            return None

        def default_max_requests_per_second(self) -> float:
            return 1e6

        def use_rate_limiter(self) -> bool:
            return False

    def register_storage(
        self: Any, provider: Any = None, tag: Any = None, is_default: bool = False, **_: Any
    ) -> Provider:
        name = str(tag or provider)
        more: dict[str, Any] = {} if _takes_no_logger(providers.StorageProviderBase) else {"logger": _logger()}
        made = Provider(
            local_prefix=self.workflow.storage_settings.local_storage_prefix / name, keep_local=True, **more
        )
        self._storages[name] = made
        return made

    def infer_provider(_: Any, query: str) -> str:
        return query.partition("://")[0].lower() if "://" in query else "file"

    StorageRegistry.register_storage = register_storage
    StorageRegistry.infer_provider = infer_provider


def _takes_no_logger(base: Any) -> bool:
    """Say whether the interface is that of Snakemake 8."""
    import inspect

    return "logger" not in inspect.signature(base.__init__).parameters


def _logger() -> Any:
    from snakemake.logging import logger

    return logger
