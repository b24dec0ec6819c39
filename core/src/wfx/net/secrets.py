"""Where the value of a credential comes from: as it stands, environment, file, command, keyring, or a question."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wfx.errors import DefinitionError, MachineError, PluginError, PolicyError, UsageError
from wfx.redaction import redact

WAYS = ("_env", "_file", "_command", "_keyring", "_prompt")
"""Suffixes of a key, `password_file`, that say where its value is; none: it stands there itself."""
COMMAND_SECONDS = 120.0


def read_secret(name: str, way: str, given: Any, *, where: str, user: str, environment: Mapping[str, str]) -> str:
    """Return a value. `name` and `where` are for messages; `user` is the account that a keyring is asked for.

    Raises DefinitionError for what is not there, PolicyError for a file that others may read, MachineError and
    PluginError for a command or keyring that fails, UsageError where nobody can be asked.
    """
    if way == "_command":
        return _from_command(name, _words(name, given, where), where)
    if way == "_keyring":
        return _from_keyring(name, given, where, user)
    if way == "_prompt":
        return _from_person(name, where)
    if not isinstance(given, str):
        raise DefinitionError(f"'{name}{way}' takes a text", where=where)
    if way == "_env":
        found = environment.get(given)
        if found is None:
            raise DefinitionError(f"the environment has no {given}", where=where)
        return found
    if way == "_file":
        path = Path(given).expanduser()
        refuse_readable_by_others(path)
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise MachineError("the secret's file cannot be read", where=str(path)) from error
    return given


def refuse_readable_by_others(path: Path) -> None:
    """Raise PolicyError where another user may read a file of secrets, MachineError where it cannot be looked at."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise MachineError.of(error) from error
    if stat.S_ISREG(mode) and mode & 0o077:
        raise PolicyError(
            "others may read this file of credentials", where=str(path), why=f"its mode is {stat.S_IMODE(mode):o}",
            remedy=f"run: chmod 600 {path}",
        )  # fmt: skip


def _words(name: str, given: Any, where: str) -> list[str]:
    if not isinstance(given, list) or not given or not all(isinstance(word, str) for word in given):
        raise DefinitionError(
            f"'{name}_command' takes a list of words", where=where, why="no shell reads it",
            remedy=f'write {name}_command = ["pass", "show", "NAME"]',
        )  # fmt: skip
    return [os.path.expanduser(given[0]), *given[1:]]


def _from_command(name: str, words: list[str], where: str) -> str:
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "what it prints is not UTF-8"
        raise MachineError(f"the command for '{name}' cannot be run: {words[0]}", where=where, why=why) from error
    except subprocess.TimeoutExpired:
        # Without a cause: that would hold what it has printed so far.
        raise MachineError(
            f"the command for '{name}' has not ended after {COMMAND_SECONDS:g} s: {words[0]}", where=where
        ) from None
    secret = done.stdout.strip("\r\n")
    if done.returncode or not secret:
        redact.learn(secret)
        said = redact(done.stderr.strip().partition("\n")[0][:160])
        why = said or ("it prints nothing" if not done.returncode else f"it ends with {done.returncode}")
        raise MachineError(f"the command for '{name}' fails: {words[0]}", where=where, why=why)
    return secret


def _from_keyring(name: str, given: Any, where: str, user: str) -> str:
    service, account = given if isinstance(given, list) and len(given) == 2 else (given, user)
    if not isinstance(service, str) or not isinstance(account, str):
        raise DefinitionError(
            f"'{name}_keyring' takes the name of a service", where=where, remedy='or write ["SERVICE", "ACCOUNT"]'
        )
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        raise PluginError(
            "the package keyring is not installed", where=where, remedy="pip install 'wfx-core[keyring]'"
        ) from error
    try:
        if account:
            found = keyring.get_password(service, account)
        else:
            entry = keyring.get_credential(service, None)
            found = entry.password if entry is not None else None
    except keyring.errors.KeyringError as error:
        raise MachineError("the keyring cannot be asked", where=where, why=redact(str(error))) from error
    if found is None:
        whose = f" for {account!r}" if account else ""
        raise DefinitionError(
            f"the keyring has nothing under {service!r}{whose}", where=where,
            remedy=f"run: keyring set {service} {account or 'ACCOUNT'}",
        )  # fmt: skip
    return found


def _from_person(name: str, where: str) -> str:
    # The display stands in for `sys.stderr`: the descriptors themselves are looked at.
    if not (os.isatty(0) and os.isatty(2)):
        raise UsageError(
            f"nobody can be asked for '{name}'", where=where, why="there is no terminal",
            remedy=f"give it by {name}_env, {name}_file or {name}_command",
        )  # fmt: skip
    import getpass

    place = where.rpartition(" ")[2].strip("[']")
    try:
        return getpass.getpass(f"{name} for {place}: ")
    except EOFError as error:
        raise UsageError(f"no answer to the question for '{name}'", where=where) from error
