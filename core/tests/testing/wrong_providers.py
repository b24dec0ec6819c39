"""A right engine that wfx provides, whose program is a file of shell, then wrong ones. They are no tests."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import wrong_engines
from wfx.hookspecs import hookimpl
from wfx.testing.providing import ProvidedEngineContract

CASES: list[tuple[str, type, str]] = []


class Provided(wrong_engines.Lines):
    keys = ("lines.kept",)
    capabilities = replace(wrong_engines.Lines.capabilities, versions=">=1.0,<3", provides="2.0")

    def version(self):
        return self.installation.version if self.installation is not None else "1.0"

    @classmethod
    def provide(cls, job):
        job.note("writing it")
        job.run(["sh", "-c", f"echo '{job.final}' > place; echo echo > program; chmod 755 program"])
        cls.list(job)
        return job.version

    @classmethod
    def list(cls, job):
        job.add("program", job.version, hashlib.sha256(b"echo").hexdigest())


class Rules(ProvidedEngineContract):
    workflow = wrong_engines.Rules.workflow
    values = wrong_engines.Rules.values


def wrong(rule):
    def enter(cls):
        cls.keys = (f"lines.{cls.__name__.lower()}",)
        CASES.append((cls.__name__, cls, rule))
        return cls

    return enter


@wrong("test_what_it_provides_it_can_drive")
class TooNew(Provided):
    capabilities = replace(Provided.capabilities, provides="2.0", versions=">=2.0,<3")

    @classmethod
    def candidate(cls, wanted):
        return "2.1"


@wrong("test_a_version_that_is_provided_is_the_version")
class Stubborn(Provided):
    def version(self):
        return "2.0"


@wrong("test_it_lists_its_packages_with_their_digests")
class Unlisted(Provided):
    @classmethod
    def list(cls, job):
        """List nothing."""


@wrong("test_it_lists_its_packages_with_their_digests")
class Undigested(Provided):
    @classmethod
    def list(cls, job):
        job.add("program", job.version, "")


@wrong("test_nothing_in_it_names_the_place_of_its_making")
class Rooted(Provided):
    @classmethod
    def provide(cls, job):
        version = super().provide(job)
        (job.into / "config").write_text(f"home = {job.into}/lib")
        return version


@wrong("test_it_puts_nothing_beside_its_folder")
class Spilling(Provided):
    @classmethod
    def provide(cls, job):
        (job.into.parent / "cache").mkdir(exist_ok=True)
        return super().provide(job)


@wrong("test_it_says_what_it_does")
class Mute(Provided):
    @classmethod
    def provide(cls, job):
        (job.into / "program").write_text("echo")
        cls.list(job)
        return job.version


@wrong("test_a_run_uses_it")
class Ignoring(Provided):
    def describe(self, entry, fragment=""):
        return replace(super().describe(entry, fragment), engine_version="1.0")


@wrong("test_a_run_leaves_it_as_it_is")
class Caching(Provided):
    def launch(self):
        (self.installation.folder / "cache").write_text("")
        super().launch()


@wrong("test_a_run_leaves_it_as_it_is")
class Patching(Provided):
    def launch(self):
        (self.installation.folder / "program").write_text("echo changed")
        super().launch()


@hookimpl
def wfx_engines():
    return [Provided, *(cls for _, cls, _ in CASES)]


RightProvided = type("RightProvided", (Rules,), {"engine": Provided, "__module__": __name__})
for _name, _cls, _ in CASES:
    globals()[f"Wrong{_name}"] = type(f"Wrong{_name}", (Rules,), {"engine": _cls, "__module__": __name__})
