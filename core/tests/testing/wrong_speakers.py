"""The runtime of the template, which speaks Docker's command line, then wrong ones. They are no tests."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from wfx.hookspecs import hookimpl
from wfx.templates import write_plugin
from wfx.testing.speaking import SpeakingFactoryContract

CASES: list[tuple[str, type, str]] = []

folder = Path(tempfile.mkdtemp(prefix="wfx-speakers-"))
write_plugin("container-factory", "boxes", folder / "plugin")
sys.path.insert(0, str(folder / "plugin" / "src"))
from wfx_boxes import FolderFactory as Right  # noqa: E402 (it has only just been written)

Right.keys = ("right",)


def wrong(rule):
    def enter(cls):
        cls.keys = (cls.__name__.lower(),)
        CASES.append((cls.__name__, cls, rule))
        return cls

    return enter


class Edited(Right):
    """Changes the command line `a` on its way to the program `right`."""

    edit = "pass"

    def access(self, run):
        access = super().access(run)
        inner = self.context.cache / "right"
        inner.write_text(access.wrapper)
        inner.chmod(0o755)
        code = f"import os, subprocess, sys\nright, here, *a = sys.argv[1:]\n{self.edit}\nos.execv(right, [right, *a])"
        words = shlex.join([sys.executable, "-c", code, str(inner), str(self.context.cache.parent)])
        return replace(access, wrapper=f'#!/bin/sh\nexec {words} "$@"\n')


@wrong("test_it_says_that_it_speaks_docker_s_command_line")
class Silent(Right):
    capabilities = replace(Right.capabilities, speaks=())


@wrong("test_a_command_runs_in_the_image_with_its_input_and_its_exit_code")
class Levelling(Edited):
    edit = "sys.exit(1 if subprocess.call([right, *a]) else 0)"


@wrong("test_it_begins_in_the_folder_with_the_variables_that_it_is_given")
class Telling(Edited):
    edit = "a[1:1] = ['--env=SECRET_OF_THE_CALLER'] if a[0] == 'run' else []"


@wrong("test_mounts_are_seen_at_their_places")
class Losing(Edited):
    edit = "if '--volume' in a: del a[a.index('--volume') : a.index('--volume') + 2]"


@wrong("test_nothing_changes_the_image_or_what_is_mounted_read_only")
class Open(Edited):
    edit = "a = [w.replace(',readonly', '') for w in a]"


@wrong("test_without_a_network_there_is_none")
class Connected(Edited):
    edit = "a = [w for w in a if w != '--net=none']"


@wrong("test_nothing_of_the_machine_is_seen_but_the_mounts")
class Transparent(Edited):
    edit = "a[1:1] = ['-v', f'{here}:{here}'] if a[0] == 'run' else []"


@wrong("test_a_container_ends_with_its_program")
class Lingering(Edited):
    edit = "sys.exit(subprocess.call(['sh', '-c', '\"$@\"; exit $?', 'sh', right, *a], start_new_session=True))"


@wrong("test_an_image_that_is_not_loaded_does_not_run")
class Agreeing(Edited):
    edit = "if a[0] == 'inspect': sys.exit(0)"


if os.geteuid() == 0:

    @wrong("test_what_it_writes_is_the_caller_s")
    class Giving(Edited):
        edit = (
            "code = subprocess.call([right, *a])\n"
            "for path in __import__('glob').glob(here + '/out/*'): os.chown(path, 12345, 12345)\n"
            "sys.exit(code)"
        )


@hookimpl
def wfx_container_factories():
    return [Right, *(cls for _, cls, _ in CASES)]


RULES = [name for name in dir(SpeakingFactoryContract) if name.startswith("test_")]
RightSpeaker = type("RightSpeaker", (SpeakingFactoryContract,), {"factory": Right, "__module__": __name__})
for _name, _cls, _rule in CASES:
    # Each rule starts processes, so the others, which the right one keeps, are left out.
    _others = dict.fromkeys(rule for rule in RULES if rule != _rule)
    globals()[f"Wrong{_name}"] = type(
        f"Wrong{_name}",
        (SpeakingFactoryContract,),
        {"factory": _cls, "__module__": __name__, "patience": 1.0, **_others},
    )
