"""What an engine said of a workflow is asked for again when anything that said it has changed."""

from types import SimpleNamespace
from typing import Any

from wfx.planning import _description_key


def key(plugin: str, engine: str = "1", digest: str = "d", **options: str) -> str:
    provider = SimpleNamespace(distribution="wfx-x", version=plugin)
    session: Any = SimpleNamespace(plugins=SimpleNamespace(provider=lambda kind, name: provider if plugin else None))
    closure: Any = SimpleNamespace(recognition=SimpleNamespace(engine="x.y"), digest=digest)
    return _description_key(closure, engine, session, options)


def test_another_version_of_plugin_engine_or_document_is_another_description() -> None:
    keys = [key("1.0"), key("1.1"), key(""), key("1.0", engine="2"), key("1.0", digest="e"), key("1.0", profile="x")]
    assert len(set(keys)) == len(keys)
    assert key("1.0") == keys[0]
