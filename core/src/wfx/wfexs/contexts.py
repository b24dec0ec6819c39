"""WfExS security contexts as credentials of wfx: by prefix of a reference, or by the name that a stage definition uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wfx.documents import load_document
from wfx.errors import DefinitionError
from wfx.redaction import redact
from wfx.references import Reference

FIELDS = {"username": "username", "password": "password", "access_key": "access_key", "secret_key": "secret_key",
          "token": "token", "token_header": "header"}  # fmt: skip
SECRETS = ("password", "secret_key", "token")
IGNORED = ("method", "headers")


def read_contexts(
    data: bytes, name: str, uses: Mapping[str, Sequence[str]]
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Return the tables of a file of credentials, by prefix, and notes on what is not used.

    `uses` says which references each named context is for (`Converted.contexts`). Every secret is made known to the
    redactor. Raises DefinitionError with file:line, and for a context that is named and not there.
    """
    document = load_document(data, name)
    value = document.value
    if not isinstance(value, dict):
        raise DefinitionError("security contexts are a mapping", where=document.where(()))
    tables: dict[str, dict[str, str]] = {}
    notes: list[str] = []
    for key, context in value.items():
        table = _table(context, document.where((key,)), notes, str(key))
        for prefix in [str(key)] if "://" in str(key) else _prefixes(uses.get(str(key), ())):
            tables[prefix] = table
    missing = sorted(uses.keys() - {str(key) for key in value})
    if missing:
        raise DefinitionError(f"the security context '{missing[0]}' is not in this file", where=name)
    return tables, notes


def _prefixes(references: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(origin for text in references if (origin := Reference(text).origin)))


def _table(context: Any, where: str, notes: list[str], name: str) -> dict[str, str]:
    if not isinstance(context, dict) or not context:
        raise DefinitionError("a security context is a mapping", where=where)
    table: dict[str, str] = {}
    for key, item in context.items():
        if key in IGNORED:
            notes.append(f"'{key}' of the security context '{name}' is not used")
        elif key not in FIELDS or not isinstance(item, str):
            raise DefinitionError(f"{key!r} is not known here", where=where, remedy=f"use {', '.join(FIELDS)}")
        else:
            table[FIELDS[key]] = item
            if key in SECRETS:
                redact.learn(item)
    return table
