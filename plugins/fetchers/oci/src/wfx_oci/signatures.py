"""Signatures as cosign makes them with a key: beside the image in its registry.

Cosign's signature specification: a manifest `sha256-HEX.sig` whose layers are what was signed ("simple signing", the
format of containers/image), each with the signature as an annotation; or the same manifest as one that refers to the image
(OCI distribution specification 1.1, "Listing Referrers"). Cosign's bundle specification, which version 3 follows: a
manifest that refers to the image, whose layer is a Sigstore bundle. Verified with the `cryptography` package.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfx.errors import (
    ContainerError,
    FetchError,
    IntegrityError,
    PluginError,
    PolicyError,
    ReferenceNotFound,
    UsageError,
)
from wfx.fetching import Net, Reference
from wfx.images import Descriptor
from wfx.images.layouts import LARGEST_MANIFEST, OCI_INDEX, manifest_parts

from wfx_oci.blobs import fetch_blob
from wfx_oci.images import Address
from wfx_oci.places import find_manifest, repositories

if TYPE_CHECKING:
    from wfx_oci.registries import Manifest, Repository

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle"
# What an in-toto statement says that is a signature of an image, and no attestation about it.
PREDICATE = "https://sigstore.dev/cosign/sign/v1"
TYPES = ("cosign container image signature", "https://sigstore.dev/cosign/sign/v1", "atomic container signature")
# Who may push signatures may push many; nobody's image has so many that count.
MOST_SIGNATURES = 100
LARGEST_PAYLOAD = 256 * 1024
INSTALL = "install it: pip install 'wfx-oci[cosign]'"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signature:
    """What was signed, and the signature."""

    message: bytes
    signature: bytes
    claims: tuple[str, ...]
    """Digests of the images that the message is about."""


def signer(ref: Reference, pinned: Reference, keys: Sequence[bytes], net: Net) -> str:
    """Return the sha256 of the public key that has signed an image. Raises PolicyError where none of `keys` has.

    Signed may be the manifest that `pinned` names, or the index of several platforms that `ref` means, if it lists it.
    """
    public = [_Key.read(key) for key in keys]
    digest = Address.parse(pinned).name.digest
    places = repositories(Address.parse(pinned).name, net)
    found, foreign = 0, 0
    others: set[str] = set()
    for signed in _stands_for(ref, digest, net):
        for signature in _signatures(places, signed):
            found += 1
            key = next((key for key in public if key.verifies(signature)), None)
            if key is None:
                foreign += 1
                continue
            if signed in signature.claims:
                return key.fingerprint
            others.update(signature.claims or ("no image",))
    if not found:
        why = "it has no signature that cosign has made with a key"
    elif others:
        why = f"its signature is one of {', '.join(sorted(others)[:3])}"
    else:
        why = f"{'its signature is' if found == 1 else f'its {foreign} signatures are'} of no key that you trust"
    raise PolicyError(
        "the image is not signed as it must be", where=str(pinned), why=why,
        remedy="take an image that is, or change the setting container.cosign_keys",
    )  # fmt: skip


def _stands_for(ref: Reference, digest: str, net: Net) -> Iterator[str]:
    """Yield the digests whose signature is one of the image: its own, and that of the index which it is listed in."""
    yield digest
    address = Address.parse(ref)
    if address.wanted == digest:
        return
    try:
        manifest, _ = find_manifest(repositories(address.name, net), address.wanted)
    except FetchError as error:
        log.info("no index: %s", error)
        return
    entries = manifest.value.get("manifests") if manifest.is_index else None
    if any(isinstance(entry, dict) and entry.get("digest") == digest for entry in entries or ()):
        yield manifest.digest


def _signatures(places: Sequence[Repository], digest: str) -> Iterator[Signature]:
    left = MOST_SIGNATURES
    for manifest in _manifests(places, digest):
        for layer in manifest_parts(manifest.value, digest)[1]:
            if layer.size > LARGEST_PAYLOAD or not (layer.media_type == PAYLOAD or layer.media_type.startswith(BUNDLE)):
                continue
            left -= 1
            if left < 0:
                log.warning("%s has more than %s signatures; the others are not looked at", digest, MOST_SIGNATURES)
                return
            try:
                data = fetch_blob(places, layer)
                yield _simple(layer, data) if layer.media_type == PAYLOAD else _of_bundle(data)
            except (IntegrityError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
                log.info("a signature of %s is broken: %s", digest, error)


def _simple(layer: Descriptor, payload: bytes) -> Signature:
    """Read simple signing; what is no statement about an image claims none."""
    signature = base64.b64decode(layer.annotations[SIGNATURE], validate=True)
    try:
        critical = json.loads(payload)["critical"]
        claims = (str(critical["image"]["docker-manifest-digest"]),) if critical["type"] in TYPES else ()
    except (ValueError, KeyError, TypeError, RecursionError):
        claims = ()
    return Signature(payload, signature, claims)


def _of_bundle(data: bytes) -> Signature:
    """Read a bundle with an envelope (DSSE 1.0) around an in-toto statement."""
    envelope = json.loads(data)["dsseEnvelope"]
    kind, payload = str(envelope["payloadType"]), base64.b64decode(envelope["payload"], validate=True)
    # DSSE's "pre-authentication encoding".
    message = b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)
    statement = json.loads(payload)
    claims: tuple[str, ...] = ()
    if kind == "application/vnd.in-toto+json" and statement["predicateType"] == PREDICATE:
        claims = tuple(f"sha256:{subject['digest']['sha256']}" for subject in statement["subject"])
    return Signature(message, base64.b64decode(envelope["signatures"][0]["sig"], validate=True), claims)


def _manifests(places: Sequence[Repository], digest: str) -> Iterator[Manifest]:
    """Yield the manifests of an image's signatures, by the tag and as referrers. Raises what asking a registry raises."""
    try:
        yield find_manifest(places, f"{digest.replace(':', '-')}.sig")[0]
    except ReferenceNotFound:
        log.info("no signature under the tag of %s", digest)
    for repository in places:
        for entry in _referrers(repository, digest):
            yield repository.manifest(entry.digest)


def _referrers(repository: Repository, digest: str) -> list[Descriptor]:
    """Return the signatures that refer to an image, from a registry that knows of referrers or, else, under their tag."""
    path = f"{repository.base()}/v2/{repository.place.repository}"
    for url in (f"{path}/referrers/{digest}", f"{path}/manifests/{digest.replace(':', '-')}"):
        try:
            value: Any = json.loads(repository.request(url, accept=OCI_INDEX).read(LARGEST_MANIFEST))
            entries = [entry for entry in value["manifests"] if _is_signature(str(entry.get("artifactType")))]
            return [Descriptor.read(entry, url) for entry in entries[:MOST_SIGNATURES]]
        except (FetchError, ContainerError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            log.debug("no referrers of %s: %s", digest, error)
    return []


def _is_signature(artifact: str) -> bool:
    return artifact == ARTIFACT or artifact.startswith(BUNDLE)


class _Key:
    """A public key."""

    def __init__(self, key: Any, fingerprint: str) -> None:
        self._key, self.fingerprint = key, fingerprint

    @classmethod
    def read(cls, pem: bytes) -> _Key:
        """Read it. Raises UsageError for what is no key of a kind that cosign uses, PluginError without the package."""
        try:
            from cryptography.exceptions import UnsupportedAlgorithm
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
        except ImportError as error:
            raise PluginError(
                "signatures cannot be verified", why="the package cryptography is not installed", remedy=INSTALL
            ) from error
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise UsageError("a key of the setting container.cosign_keys cannot be read", why=str(error)) from error
        if not isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey, ed25519.Ed25519PublicKey)):
            raise UsageError("a key of the setting container.cosign_keys is neither ECDSA, RSA nor Ed25519")
        der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return cls(key, hashlib.sha256(der).hexdigest())

    def verifies(self, signed: Signature) -> bool:
        """Say whether the signature is of this key."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

        try:
            if isinstance(self._key, ec.EllipticCurvePublicKey):
                self._key.verify(signed.signature, signed.message, ec.ECDSA(hashes.SHA256()))
            elif isinstance(self._key, rsa.RSAPublicKey):
                self._key.verify(signed.signature, signed.message, padding.PKCS1v15(), hashes.SHA256())
            else:
                self._key.verify(signed.signature, signed.message)
        except (InvalidSignature, ValueError):
            return False
        return True
