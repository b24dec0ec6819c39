"""Whose keys a request is signed with: wfx's own credentials, the environment, or a profile of AWS's own tools."""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass
from pathlib import Path

from wfx.errors import DefinitionError, MachineError
from wfx.fetching import Net, Reference
from wfx.net.credentials import refuse_readable_by_others
from wfx.redaction import redact

from wfx_s3.settings import Settings
from wfx_s3.signing import Keys

# Of a profile whose keys would have to be asked for first.
ASKED_FOR = ("role_arn", "sso_session", "sso_start_url", "credential_process", "web_identity_token_file")


@dataclass(frozen=True, slots=True)
class Login:
    """Keys, where there are any, and what else a profile says."""

    keys: Keys | None = None
    region: str = ""
    given_in: str = ""
    """Where the keys stand, for people."""


def login_for(ref: Reference, net: Net, settings: Settings) -> Login:
    """Return the keys for a reference, none where nobody gives any. Raises DefinitionError, PolicyError, MachineError.

    1. `credentials.toml`, or the environment for the bucket as a host: keys, or the name of a profile;
    2. the profile of the settings;
    3. `AWS_ACCESS_KEY_ID` and its like, then `AWS_PROFILE`.
    """
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    if settings.anonymous:
        return Login(region=region)
    credential = net.credential(ref.uri)
    if credential is not None:
        if credential.profile:
            return _profile(credential.profile, region)
        if not credential.username or not credential.password:
            raise DefinitionError(
                "the credentials for it are no keys of an object store", where=str(ref), why=credential.given_in or None,
                remedy="write access_key and secret_key, or profile",
            )  # fmt: skip
        keys = Keys(credential.username, credential.password, credential.session_token)
        return Login(keys, region, credential.given_in)
    if settings.profile:
        return _profile(settings.profile, region)
    access, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if access and secret:
        return Login(_learnt(Keys(access, secret, os.environ.get("AWS_SESSION_TOKEN", ""))), region, "the environment")
    if os.environ.get("AWS_PROFILE"):
        return _profile(os.environ["AWS_PROFILE"], region)
    return Login(region=region)


def _profile(name: str, region: str) -> Login:
    home = Path(os.environ.get("HOME") or "~").expanduser() / ".aws"
    places = (
        (Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials").expanduser(), name),
        (
            Path(os.environ.get("AWS_CONFIG_FILE") or home / "config").expanduser(),
            name if name == "default" else f"profile {name}",
        ),
    )
    values: dict[str, str] = {}
    found = ""
    for path, heading in places:
        section = _section(path, heading)
        if "aws_secret_access_key" in section:
            refuse_readable_by_others(path)
        if section and not found:
            found = f"{path} [{heading}]"
        values = {**section, **values}
    if not found:
        where = " and ".join(str(path) for path, _ in places)
        raise DefinitionError(f"there is no profile {name!r}", where=where, remedy="check the name, or make it")
    access, secret = values.get("aws_access_key_id"), values.get("aws_secret_access_key")
    if not access or not secret:
        way = next((key for key in ASKED_FOR if key in values), "")
        raise DefinitionError(
            f"the profile {name!r} has no keys", where=found, why=f"{way} is not followed" if way else None,
            remedy="put keys into the environment: eval $(aws configure export-credentials --format env)",
        )  # fmt: skip
    keys = _learnt(Keys(access, secret, values.get("aws_session_token", "")))
    return Login(keys, region or values.get("region", ""), found)


def _section(path: Path, heading: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file, str(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise MachineError.of(error) from error
    except (configparser.Error, UnicodeDecodeError):
        # The parser's own message shows the line, which may hold a key.
        raise DefinitionError("it is not a valid file of profiles", where=str(path)) from None
    return dict(parser.items(heading)) if parser.has_section(heading) else {}


def _learnt(keys: Keys) -> Keys:
    redact.learn(keys.secret_key)
    redact.learn(keys.session_token)
    return keys
