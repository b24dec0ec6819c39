"""Exporters, right ones first, then each wrong in one way. They are no tests: see `test_exporters.py`."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tarfile
import zipfile

from wfx.errors import DefinitionError, MachineError
from wfx.exporting import Exporter, Finding
from wfx.hookspecs import hookimpl
from wfx.testing.exporters import ExporterContract

CASES: list[tuple[str, type[Exporter], str]] = []


class Describer(Exporter):
    keys = ("describer",)

    def value(self, record, into):
        return {"name": record.plan.name, "status": record.status, "from": [str(i.origin) for i in record.lock.items]}

    def describe(self, record, into):
        self.write(into / "ro-crate-metadata.json", json.dumps(self.value(record, into)).encode())

    def write(self, path, data):
        temporary = path.with_name(f".wfx-{secrets.token_hex(4)}")
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise MachineError.of(error) from error

    def check(self, crate):
        try:
            data = json.loads((crate / "ro-crate-metadata.json").read_text())
        except (OSError, ValueError) as error:
            raise DefinitionError("it is no crate", where=str(crate)) from error
        return [] if "name" in data else [Finding("error", "name", "it has no name")]


class Zip(Exporter):
    keys = ("zipped",)
    suffix = ".zip"

    def files(self, crate):
        for path in sorted(crate.rglob("*")):
            if path.is_file() and ".wfx" not in path.relative_to(crate).parts:
                yield path, path.relative_to(crate).as_posix()

    def pack(self, crate, into):
        temporary = into.with_name(into.name + ".part")
        try:
            self.write(crate, temporary)
            temporary.replace(into)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise MachineError.of(error) from error
        return into

    def write(self, crate, path):
        with zipfile.ZipFile(path, "w") as archive:
            for file, name in self.files(crate):
                archive.write(file, name)


class Tar(Zip):
    keys = ("tarred",)
    suffix = ".tar.gz"

    def write(self, crate, path):
        with tarfile.open(path, "w:gz") as archive:
            for file, name in self.files(crate):
                archive.add(file, f"crate/{name}")


class Folder(Zip):
    keys = ("foldered",)
    suffix = ""

    def pack(self, crate, into):
        temporary = into.with_name(into.name + ".part")
        try:
            for file, name in self.files(crate):
                (temporary / "data" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, temporary / "data" / name)
            temporary.replace(into)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise MachineError.of(error) from error
        return into


RIGHT = [Describer, Zip, Tar, Folder]


def wrong(rule):
    def enter(cls):
        cls.keys = (cls.__name__.lower(),)
        CASES.append((cls.__name__, cls, rule))
        return cls

    return enter


@wrong("test_describing_changes_no_other_file")
class Tidy(Describer):
    def describe(self, record, into):
        super().describe(record, into)
        (into / "logs" / "steps" / "count.log").write_bytes(b"")


@wrong("test_describing_changes_no_other_file")
class Scattered(Describer):
    def describe(self, record, into):
        super().describe(record, into)
        (into / "outputs" / "about.json").write_bytes(b"{}")


@wrong("test_a_failed_run_is_described_too")
class Proud(Describer):
    def describe(self, record, into):
        if record.status == "completed":
            super().describe(record, into)


@wrong("test_metadata_appear_whole_or_not_at_all")
class InPlace(Describer):
    def write(self, path, data):
        path.write_bytes(data)


@wrong("test_metadata_appear_whole_or_not_at_all")
class Remains(Describer):
    def write(self, path, data):
        temporary = path.with_name("metadata.new")
        temporary.write_bytes(data)
        temporary.replace(path)


@wrong("test_no_path_of_the_machine_is_written")
class Absolute(Describer):
    def value(self, record, into):
        return {**super().value(record, into), "at": str(into)}


@wrong("test_no_secret_is_written")
class Open(Describer):
    def value(self, record, into):
        return {**super().value(record, into), "from": [item.origin.uri for item in record.lock.items]}


@wrong("test_a_folder_that_is_no_crate_is_not_valid")
class Lenient(Describer):
    def check(self, crate):
        return []


@wrong("test_checking_changes_nothing")
class Mending(Describer):
    def check(self, crate):
        found = super().check(crate)
        (crate / "checked").write_bytes(b"")
        return found


@wrong("test_every_file_of_the_crate_is_in_the_pack")
class Forgetful(Zip):
    def files(self, crate):
        return ((path, name) for path, name in super().files(crate) if "log" not in name)


@wrong("test_every_file_of_the_crate_is_in_the_pack")
class Elsewhere(Zip):
    def pack(self, crate, into):
        super().pack(crate, into)
        return into.with_suffix(".other")


@wrong("test_nothing_of_the_state_is_in_the_pack")
class Everything(Zip):
    def files(self, crate):
        return ((p, p.relative_to(crate).as_posix()) for p in sorted(crate.rglob("*")) if p.is_file())


@wrong("test_a_pack_appears_whole_or_not_at_all")
class Direct(Zip):
    def pack(self, crate, into):
        self.write(crate, into)
        return into


@wrong("test_a_pack_appears_whole_or_not_at_all")
class Leftover(Zip):
    def pack(self, crate, into):
        temporary = into.with_name("temporary")
        self.write(crate, temporary)
        temporary.replace(into)
        return into


@wrong("test_what_stays_behind_is_not_in_the_pack")
class Generous(Zip):
    def pack_members(self, members, into):
        source = next(m.source for m in members if m.path == "ro-crate-metadata.json")
        return self.pack(source.parent, into)


@wrong("test_packing_leaves_the_crate_as_it_is")
class Marking(Zip):
    def pack(self, crate, into):
        for path in crate.rglob("*.json"):
            os.chmod(path, 0o444)
        return super().pack(crate, into)


@wrong("test_what_is_not_implemented_is_said")
class Nothing(Exporter):
    pass


class Unnamed(Describer):
    keys = ("describer", "unnamed")


CASES.append(("Unnamed", Unnamed, "test_its_keys_are_the_entry_points"))


@hookimpl
def wfx_exporters():
    return [*RIGHT, *(cls for name, cls, _ in CASES if name != "Unnamed")]


for _cls in RIGHT:
    globals()[f"Right{_cls.__name__}"] = type(
        f"Right{_cls.__name__}", (ExporterContract,), {"exporter": _cls, "__module__": __name__}
    )
for _name, _cls, _ in CASES:
    globals()[f"Wrong{_name}"] = type(f"Wrong{_name}", (ExporterContract,), {"exporter": _cls, "__module__": __name__})
