"""Signatures of images: where public keys are configured, no image is run that none of them has signed.

What is asked is a fetcher's to answer (`ResolverFetcher.signer`): the signatures lie where the image does. Once verified,
a signature stays so, and the store remembers it for runs without a network.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from wfx.errors import DefinitionError, PolicyError, UsageError
from wfx.fetching import ResolverFetcher

if TYPE_CHECKING:
    from wfx.imageneeds import ImageSource
    from wfx.planning import PlannedImage
    from wfx.references import Reference
    from wfx.session import Session

SETTING = "container.cosign_keys"
LARGEST_KEY = 64 * 1024


def keys_of(session: Session) -> list[bytes]:
    """Return the public keys that images must be signed with; none where signatures are not asked for.

    Raises UsageError for a file that cannot be read, or is no public key in PEM.
    """
    keys = []
    for name in session.config.get_list(SETTING):
        path = Path(name).expanduser()
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST_KEY)
        except OSError as error:
            raise UsageError(
                f"the public key of the setting {SETTING} cannot be read", where=str(path), why=error.strerror
            ) from error
        if b"PRIVATE KEY" in data or b"-----BEGIN" not in data:
            raise UsageError(
                f"the setting {SETTING} names no public key in PEM",
                where=str(path),
                remedy="give cosign.pub, not cosign.key",
            )
        keys.append(data)
    return keys


def signed(image: PlannedImage, source: ImageSource, session: Session) -> PlannedImage:
    """Return the image with the key that has signed it, where keys are configured.

    Of an image that is built its bases are looked at, which are pinned like all others. Raises PolicyError for an image
    that is not signed, and for one whose signature nobody can look up.
    """
    keys = keys_of(session)
    if not keys or source.kind == "recipe":
        return image
    where = source.image
    pinned = image.pinned
    if pinned is None or pinned.scheme not in ("docker", "oras") or not image.digest:
        raise PolicyError(
            "the image is not signed", where=where, why="a file has no signature beside it",
            remedy=f"name an image of a registry, or take the keys out of the setting {SETTING}",
        )  # fmt: skip
    # Of an artifact the digest that is signed is the registry's, and stands in the reference.
    remembered = f"{pinned.uri.rpartition('@')[2].partition('#')[0]} {_together(keys)}"
    known = session.store.fact("image-signed", remembered)
    if not isinstance(known, str):
        if session.offline:
            raise PolicyError(
                "whether the image is signed cannot be looked up", where=where, why="the network is switched off",
                remedy="run once without --offline",
            )  # fmt: skip
        fetcher = session.plugins.fetcher(pinned)()
        if not isinstance(fetcher, ResolverFetcher):
            raise PolicyError("the image is not signed", where=where, why="its place knows of no signatures")
        known = fetcher.signer(_named(image, pinned), pinned, keys, session.net)
        session.store.set_fact("image-signed", remembered, known)
    return dataclasses.replace(image, signed=known)


def _named(image: PlannedImage, pinned: Reference) -> Reference:
    """Return the reference by the workflow's own name, which may mean an index that is signed as a whole."""
    from wfx.images import ImageName

    try:
        return ImageName.parse(image.image).reference(scheme=pinned.scheme)
    except DefinitionError:
        return pinned


def _together(keys: list[bytes]) -> str:
    return hashlib.sha256(b"\0".join(sorted(keys))).hexdigest()
