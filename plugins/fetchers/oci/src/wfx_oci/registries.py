"""One registry: where it is, how it is spoken with, and what it proved to be (OCI distribution specification 1.1)."""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import json
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wfx.errors import AccessDenied, ContainerError, FetchError, IntegrityError, ReferenceNotFound
from wfx.fetching import Net, Span
from wfx.images import ImageName
from wfx.images.layouts import INDEXES, LARGEST_MANIFEST, MANIFESTS
from wfx.net import AuthenticationNeeded, TemporaryFailure
from wfx.net.bodies import HttpBody
from wfx.net.credentials import Credentials

from wfx_oci.challenges import Proof, prove
from wfx_oci.logins import HUB, find_login
from wfx_oci.settings import Settings

HUB_ENDPOINT = "registry-1.docker.io"
ACCEPT = ", ".join((*MANIFESTS, *INDEXES))
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1"
# What a registry gives of its tags is looked through for a name near to one that is not there.
MOST_TAGS = 1000


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or an index, as it came, verified by its digest."""

    data: bytes = field(repr=False)
    value: Mapping[str, Any] = field(repr=False)
    media_type: str
    digest: str

    @property
    def is_index(self) -> bool:
        """Whether it lists the manifests of several platforms."""
        return self.media_type in INDEXES


@dataclass(slots=True)
class Registries:
    """What was learnt of registries with the same credentials: where they answer, tokens, manifests by digest."""

    schemes: dict[str, str] = field(default_factory=dict)
    proofs: dict[tuple[str, str], Proof] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    asking: dict[tuple[str, str], threading.Lock] = field(default_factory=dict)

    def turn(self, key: tuple[str, str]) -> threading.Lock:
        """Return the lock of who asks for a proof: the other threads wait, and use what it gets."""
        with self.lock:
            return self.asking.setdefault(key, threading.Lock())


_known: weakref.WeakKeyDictionary[Credentials, Registries] = weakref.WeakKeyDictionary()
_known_lock = threading.Lock()


def _registries(net: Net) -> Registries:
    with _known_lock:
        return _known.setdefault(net.credentials, Registries())


@dataclass(frozen=True, slots=True)
class Place:
    """A repository at one registry, or at a mirror of it."""

    registry: str
    """Host with its port, as names have it: `docker.io`."""
    repository: str

    @property
    def host(self) -> str:
        """Where it answers."""
        return HUB_ENDPOINT if self.registry == HUB else self.registry

    @classmethod
    def of(cls, name: ImageName) -> Place:
        """Return the place that a name means."""
        return cls(name.registry, name.repository)

    @classmethod
    def at_host(cls, host: str, repository: str) -> Place:
        """Return the place by the host that answers."""
        return cls(HUB if host == HUB_ENDPOINT else host, repository)


class Repository:
    """A repository, spoken with through a gate."""

    def __init__(self, net: Net, place: Place) -> None:
        self.net, self.place = net, place
        self._state = _registries(net)
        self._key = (place.registry, place.repository)

    # -- where it is

    def base(self) -> str:
        """Return `https://HOST`, or `http://HOST` where that is allowed and nothing else answers."""
        host = self.place.host
        scheme = self._state.schemes.get(host)
        if scheme is None:
            scheme = self._state.schemes[host] = self._probe(host)
        return f"{scheme}://{host}"

    def _probe(self, host: str) -> str:
        if not (is_loopback(host) or host in Settings.of(self.net).plain_http):
            return "https"
        # The open way first: a server that knows no TLS may wait for the end of a line that a handshake does not have,
        # while one that knows nothing else answers 400 at once, or hangs up.
        for scheme in ("http", "https"):
            try:
                self.net.http(f"{scheme}://{host}/v2/", headers={"Accept": "*/*"}, anonymous=True).stream.close()
            except (AccessDenied, ReferenceNotFound):
                return scheme
            except FetchError:
                continue
            return scheme
        return "http"

    def blob_url(self, digest: str) -> str:
        """Return where a blob lies."""
        return f"{self.base()}/v2/{self.place.repository}/blobs/{digest}"

    # -- requests

    def request(self, url: str, span: Span | None = None, accept: str = "*/*") -> HttpBody:
        """Ask for something of the repository, with what the registry wants as a proof.

        Raises AccessDenied, ReferenceNotFound, TemporaryFailure, FetchError.
        """
        proof = self._state.proofs.get(self._key)
        if proof is not None and proof.fresh:
            try:
                return self._send(url, span, accept, proof)
            except AuthenticationNeeded:
                # A registry that was started anew knows no token of before.
                pass
        try:
            return self._send(url, span, accept, None)
        except AuthenticationNeeded as error:
            proof = self._prove(error.challenge, proof)
        try:
            return self._send(url, span, accept, proof)
        except AccessDenied as error:
            raise self._denied(error, proof) from error

    def _send(self, url: str, span: Span | None, accept: str, proof: Proof | None) -> HttpBody:
        headers = {"Accept": accept} | ({"Authorization": proof.header} if proof is not None else {})
        try:
            return self.net.http(url, span, headers=headers, anonymous=True)
        except TemporaryFailure as error:
            if " 429" in error.what:
                error.remedy = error.remedy or "wait, or log in: registries allow more to those who do"
            raise

    def _prove(self, challenge: str, old: Proof | None) -> Proof:
        place = self.place
        with self._state.turn(self._key):
            current = self._state.proofs.get(self._key)
            if current is not None and current is not old and current.fresh:
                return current
            base = self.base()
            scope = f"repository:{place.repository}:pull"
            login = find_login(self.net, place.registry, place.repository)
            if base.startswith("http:") and not is_loopback(place.host):
                login = None  # no secret goes over an open line
            proof = prove(self.net, base, challenge, scope, login)
            if proof is None:
                raise AccessDenied(
                    "the registry wants a login", where=f"{place.registry}/{place.repository}",
                    remedy=f"run `docker login {place.registry}`, or give wfx credentials for {base}",
                )  # fmt: skip
            self._state.proofs[self._key] = proof
            return proof

    def _denied(self, error: AccessDenied, proof: Proof) -> AccessDenied:
        place = self.place
        where = f"{place.registry}/{place.repository}"
        if proof.anonymous:
            return AccessDenied(
                "the registry does not give it to everybody", where=where,
                why="it is private, or there is none: this registry does not say which",
                remedy=f"check the name, and run `docker login {place.registry}` if it is private",
            )  # fmt: skip
        return AccessDenied(
            "the login may not read it", where=where, why=error.why, remedy="ask the owner for access, or log in anew"
        )

    # -- manifests

    def manifest(self, wanted: str) -> Manifest:
        """Return the manifest or index that a tag or a digest means, verified.

        Raises IntegrityError for another digest than stated, ContainerError for a form that is out of use, and what
        `request` raises.
        """
        known = self._state.manifests.get(wanted)
        if known is not None:
            return known
        where = f"{self.place.registry}/{self.place.repository}{'@' if ':' in wanted else ':'}{wanted}"
        try:
            body = self.request(f"{self.base()}/v2/{self.place.repository}/manifests/{wanted}", accept=ACCEPT)
        except ReferenceNotFound as error:
            raise self._not_found(wanted, where, error) from error
        data = body.read(LARGEST_MANIFEST)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        stated = wanted if ":" in wanted else body.headers.get("docker-content-digest", "")
        if stated.startswith("sha256:") and stated != digest:
            raise IntegrityError(
                f"the registry's manifest has the digest {digest} where {stated} is stated", where=where,
                remedy="run again; if it stays so, the registry or something on the way is broken",
            )  # fmt: skip
        manifest = read_manifest(data, body.media_type or "", digest, where)
        self._state.manifests[digest] = manifest
        return manifest

    def _not_found(self, wanted: str, where: str, error: ReferenceNotFound) -> ReferenceNotFound:
        near: list[str] = []
        if ":" not in wanted:
            try:
                url = f"{self.base()}/v2/{self.place.repository}/tags/list?n={MOST_TAGS}"
                value = json.loads(self.request(url).read(LARGEST_MANIFEST))
                near = difflib.get_close_matches(wanted, [str(tag) for tag in value.get("tags") or ()], n=3, cutoff=0.5)
            except (FetchError, ValueError, AttributeError, RecursionError):
                # It is only to help; many registries list no tags.
                near = []
        remedy = f"did you mean {' or '.join(near)}?" if near else "check the name and the tag"
        return ReferenceNotFound("the registry has no such image", where=where, why=error.why, remedy=remedy)


def read_manifest(data: bytes, media_type: str, digest: str, where: str) -> Manifest:
    """Take a manifest for what it says it is. Raises ContainerError."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ContainerError("the registry's manifest is not valid JSON", where=where, why=str(error)) from error
    if not isinstance(value, dict):
        raise ContainerError("the registry's manifest is no JSON object", where=where)
    stated = str(value.get("mediaType") or media_type)
    if value.get("schemaVersion") == 1 or stated.startswith(SCHEMA1):
        raise ContainerError(
            "the image has a manifest of schema 1, which went out of use in 2017", where=where,
            why="it gives no digest of the image's configuration", remedy="push the image again with a present program",
        )  # fmt: skip
    if "manifests" in value and "layers" in value:
        # Two readers could see two images (OCI image specification, "Guidelines for reading").
        raise ContainerError("the manifest is an index too", where=where)
    if stated not in (*MANIFESTS, *INDEXES):
        if "manifests" in value:
            stated = INDEXES[0]
        elif "layers" in value:
            stated = MANIFESTS[0]
        else:
            raise ContainerError(f"the registry gives {stated or 'something'}, and no manifest", where=where)
    if ("manifests" in value) != (stated in INDEXES):
        raise ContainerError("the manifest is not of the type that it states", where=where, why=stated)
    return Manifest(data, value, stated, digest)


def is_loopback(host: str) -> bool:
    """Say whether a host (with its port) is this machine by its name or address."""
    name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
    name = name.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
