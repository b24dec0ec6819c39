"""A right container factory, whose runtime is a folder, then wrong ones. They are no tests."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import socket
from dataclasses import replace

from wfx.containers import (
    Availability,
    ContainerFactory,
    FactoryCapabilities,
    LoadedImage,
    RuntimeAccess,
)
from wfx.errors import ContainerError, IntegrityError
from wfx.hookspecs import hookimpl
from wfx.testing.factories import ContainerFactoryContract

CASES: list[tuple[str, type[ContainerFactory], str]] = []


class Shelf(ContainerFactory):
    """Keeps images and containers as files in a folder."""

    keys = ("shelf",)
    capabilities = FactoryCapabilities(daemon=True)

    @property
    def images(self):
        return self.folder("images")

    @property
    def containers(self):
        return self.folder("containers")

    def folder(self, name):
        path = self.context.cache / name
        path.mkdir(exist_ok=True)
        return path

    def program(self):
        return shutil.which("env")

    def available(self):
        if self.program() is None:
            return Availability(problem="shelf is not installed", remedy="apt install shelf")
        return Availability(version="1.0")

    def load(self, image, name, digest):
        try:
            index = json.loads((image / "index.json").read_text())
            found = index["manifests"][0]["digest"]
            for blob in (image / "blobs" / "sha256").iterdir():
                if hashlib.sha256(blob.read_bytes()).hexdigest() != blob.name:
                    raise IntegrityError("a layer is broken", where=name)
            if found != digest:
                raise IntegrityError("it is another image", where=name, why=found)
        except OSError as error:
            raise ContainerError("it cannot be read", where=name) from error
        target = self.images / found.removeprefix("sha256:")
        fresh = not target.exists()
        target.write_text(name)
        return LoadedImage(f"wfx/{target.name}", found, target.name, fresh=fresh)

    def unload(self, image):
        (self.images / image.image_id).unlink(missing_ok=True)

    def access(self, run):
        return RuntimeAccess(self.program(), run_options=("--label", f"wfx.run={run}", "--pull=never"))

    def clean(self, run):
        for path in self.containers.iterdir():
            if path.read_text() == run:
                path.unlink()


class Rules(ContainerFactoryContract):
    def has(self, factory, image):
        return (factory.images / image.name.removeprefix("wfx/")).exists()

    def start(self, factory, run):
        path = factory.containers / f"{len(list(factory.containers.iterdir()))}-{run}"
        path.write_text(run)
        return path.name

    def containers(self, factory):
        return {path.name for path in factory.containers.iterdir()}


def wrong(rule):
    def enter(cls):
        cls.keys = (cls.__name__.lower(),)
        CASES.append((cls.__name__, cls, rule))
        return cls

    return enter


@wrong("test_a_runtime_that_is_there_says_its_version")
class Verbose(Shelf):
    def available(self):
        found = super().available()
        return replace(found, version=found.version and "shelf 1.0\nbuilt yesterday")


@wrong("test_a_runtime_that_is_missing_is_said_with_the_remedy")
class Raising(Shelf):
    def available(self):
        if self.program() is None:
            raise ContainerError("shelf is not installed")
        return super().available()


@wrong("test_a_runtime_that_is_missing_is_said_with_the_remedy")
class Helpless(Shelf):
    def available(self):
        return replace(super().available(), remedy="")


@wrong("test_an_image_is_loaded_under_a_name_that_engines_find")
class Misnaming(Shelf):
    def load(self, image, name, digest):
        return replace(super().load(image, name, digest), name=name)


@wrong("test_to_load_again_brings_the_same")
class Forgetful(Shelf):
    def load(self, image, name, digest):
        return replace(super().load(image, name, digest), fresh=True)


@wrong("test_the_stored_image_is_only_read")
class Scribbling(Shelf):
    def load(self, image, name, digest):
        with contextlib.suppress(OSError):
            (image / "loaded").write_text(name)
        return super().load(image, name, digest)


@wrong("test_loading_needs_no_network")
class Pulling(Shelf):
    def load(self, image, name, digest):
        with contextlib.suppress(OSError), socket.socket() as one:
            one.settimeout(0.1)
            one.connect(("127.0.0.1", 9))
        return super().load(image, name, digest)


@wrong("test_an_image_that_is_not_its_digest_is_refused")
class Trusting(Shelf):
    def load(self, image, name, digest):
        found = json.loads((image / "index.json").read_text())["manifests"][0]["digest"]
        return super().load(image, name, found)


@wrong("test_an_image_that_is_broken_is_an_error_with_its_name")
class Nameless(Shelf):
    def load(self, image, name, digest):
        return super().load(image, "an image", digest)


@wrong("test_access_names_the_runs_label")
class Unlabelled(Shelf):
    def access(self, run):
        return replace(super().access(run), run_options=())


@wrong("test_cleaning_removes_the_containers_of_the_run_alone")
class Thorough(Shelf):
    def clean(self, run):
        for path in self.containers.iterdir():
            path.unlink()


@wrong("test_to_clean_what_is_clean_is_nothing")
class Pedantic(Shelf):
    def clean(self, run):
        if not any(path.read_text() == run for path in self.containers.iterdir()):
            raise ContainerError("there is nothing to clean")
        super().clean(run)


@wrong("test_its_keys_are_the_entry_points")
class Formless(Shelf):
    capabilities = FactoryCapabilities(formats=(), daemon=True)


@hookimpl
def wfx_container_factories():
    return [Shelf, *(cls for _, cls, _ in CASES)]


RightShelf = type("RightShelf", (Rules,), {"factory": Shelf, "__module__": __name__})
for _name, _cls, _ in CASES:
    globals()[f"Wrong{_name}"] = type(f"Wrong{_name}", (Rules,), {"factory": _cls, "__module__": __name__})
