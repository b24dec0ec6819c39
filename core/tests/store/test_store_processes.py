"""Several processes at one store, processes that are killed, and disks that are full."""

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from wfx.errors import MachineError
from wfx.store import Store
from wfx.store.care import gc, usage, verify

COMMIT = """
import os, sys
from pathlib import Path
from wfx.store import Store
root, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
with Store(root) as store:
    for n in range(count):
        data = b"%d " % n * (1 + n % 7 * 500)
        if n % 3:
            digest = store.add_bytes(data)
        else:
            with store.group():
                digests = [store.add_bytes(data + bytes([k])) for k in range(12)]
            digest = digests[n % 12]
        assert store.path_of(digest).stat().st_size >= len(data)
        print(digest, flush=True)
"""

HOLD = """
import sys
import time
from pathlib import Path
from wfx.store import Store
with Store(Path(sys.argv[1])) as store, store.locked(sys.argv[2], exclusive=sys.argv[3] == "exclusive") as had:
    print("had" if had else "not", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def python(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.kill()


def start(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def everything_whole(root: Path) -> None:
    """Every visible blob is what its name says, before anybody has repaired anything."""
    for path in (root / "blobs").glob("??/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.parent.name + path.name
    with Store(root) as store:
        assert verify(store).faults == []
        assert usage(store).quarantined == 0


def test_processes_make_and_fill_one_store_at_once(tmp_path: Path) -> None:
    root = tmp_path / "store"
    with python(COMMIT, root, 1, 30) as a, python(COMMIT, root, 2, 30) as b, python(COMMIT, root, 3, 30) as c:
        for process in (a, b, c):
            assert line(process) == "ready"
        for process in (a, b, c):
            start(process)
        for process in (a, b, c):
            out, errors = process.communicate(timeout=30)
            assert process.returncode == 0, errors
            assert len(out.splitlines()) == 30
    everything_whole(root)
    with Store(root) as store:
        assert usage(store).blobs == 20 + 10 * 12
    assert list((root / "tmp").iterdir()) == []


@pytest.mark.parametrize("damage", ["garbage", "gone"])
def test_processes_that_meet_a_broken_index_all_go_on(tmp_path: Path, damage: str) -> None:
    root = tmp_path / "store"
    with Store(root) as store:
        digest = store.add_bytes(b"before")
    if damage == "gone":
        (root / "index.sqlite").unlink()
    else:
        (root / "index.sqlite").write_bytes(b"garbage " * 1000)
    with python(COMMIT, root, 1, 9) as a, python(COMMIT, root, 2, 9) as b, python(COMMIT, root, 3, 9) as c:
        for process in (a, b, c):
            assert line(process) == "ready"
        for process in (a, b, c):
            start(process)
        for process in (a, b, c):
            _, errors = process.communicate(timeout=30)
            assert process.returncode == 0, errors
    everything_whole(root)
    with Store(root) as store:
        assert store.has(digest)
        assert usage(store).blobs == 1 + 6 + 3 * 12


def test_a_process_killed_at_any_moment_leaves_a_whole_store(tmp_path: Path) -> None:
    root = tmp_path / "store"
    chance = random.Random(7)
    told: list[str] = []
    for seed in range(25):
        with python(COMMIT, root, seed, 10_000) as process:
            assert line(process) == "ready"
            start(process)
            for _ in range(chance.randrange(1, 15)):
                told.append(line(process))
            time.sleep(chance.random() * 0.01)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        everything_whole(root)
    with Store(root) as store:
        # What a process has said to be stored is stored.
        assert all(store.has(digest) for digest in told)
        assert store.add_bytes(b"and it goes on")


def test_a_lock_keeps_other_processes_out_until_it_is_given_back(tmp_path: Path) -> None:
    with Store(tmp_path) as store, python(HOLD, tmp_path, "name\udcff", "exclusive") as holder:
        assert line(holder) == "had"
        with store.locked("name\udcff", wait=False) as had:
            assert not had
        with store.locked("name\udcff", exclusive=False, wait=False) as had:
            assert not had
        with store.locked("another", wait=False) as had:
            assert had
        start(holder)
        holder.wait(10)
        with store.locked("name\udcff", wait=False) as had:
            assert had


def test_a_shared_lock_is_shared(tmp_path: Path) -> None:
    with Store(tmp_path) as store, python(HOLD, tmp_path, "x", "shared") as holder:
        assert line(holder) == "had"
        with store.locked("x", exclusive=False, wait=False) as had:
            assert had
        with store.locked("x", wait=False) as had:
            assert not had


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with Store(tmp_path) as store, python(HOLD, tmp_path, "x", "exclusive") as holder:
        assert line(holder) == "had"
        holder.kill()
        holder.wait(10)
        with store.locked("x") as had:
            assert had


LIMITED = """
import resource, signal, sys
from pathlib import Path
from wfx.errors import MachineError
from wfx.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store(Path(sys.argv[1]))
store.add_bytes(b"small")
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
source = Path(sys.argv[2])
work = {
    "bytes": lambda: store.add_bytes(b"x" * 1_000_000),
    "tree": lambda: store.add_tree(source),
    "copy": lambda: store.copy_file(source / "large", source / "copy"),
    "facts": lambda: [store.set_fact("k", str(n), "y" * 10_000) for n in range(100)],
}[sys.argv[3]]
try:
    work()
except (MachineError, OSError) as error:
    print((error if isinstance(error, MachineError) else MachineError.of(error)).exit_code, flush=True)
"""


@pytest.mark.parametrize("what", ["bytes", "tree", "copy", "facts"])
def test_a_file_that_cannot_grow_is_an_error_of_the_machine(tmp_path: Path, what: str) -> None:
    root, source = tmp_path / "store", tmp_path / "tree"
    source.mkdir()
    (source / "large").write_bytes(os.urandom(1_000_000))
    (source / "small").write_bytes(b"s")
    with python(LIMITED, root, source, what) as process:
        out, errors = process.communicate(timeout=30)
    assert (out, errors) == ("9\n", "")
    everything_whole(root)
    assert sorted(p.name for p in source.iterdir()) == ["large", "small"]
    assert all(p.stat().st_size < 10 for p in (root / "tmp").iterdir())
    with Store(root) as store:
        assert store.has(hashlib.sha256(b"small").hexdigest())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_leaves_a_whole_store(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    stored = []
    with pytest.raises(Exception, match=r"[Nn]o space|full") as caught:
        for n in range(1000):
            stored.append(store.add_bytes(bytes([n % 256]) * 20_000 + b"%d" % n))
    assert getattr(caught.value, "exit_code", 9) == 9
    assert stored
    store.close()
    for path in (small_disk / "store" / "blobs").glob("??/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.parent.name + path.name
    assert {path.parent.name + path.name for path in (small_disk / "store" / "blobs").glob("??/*")} >= set(stored)
    assert list((small_disk / "store" / "tmp").iterdir()) == []


HOLD_NAMES = """
import sys; from pathlib import Path; from wfx.store import Store
with Store(Path(sys.argv[1])) as store, store.locked_names(sys.argv[2:]):
    print("had", flush=True)
    sys.stdin.readline()
"""


def test_many_names_are_locked_at_once_and_others_are_free(tmp_path: Path) -> None:
    with Store(tmp_path) as store, python(HOLD_NAMES, tmp_path, "a", "b\udcff") as holder:
        assert line(holder) == "had"
        with store.locked_names(f"free {n}" for n in range(2000)), store.locked_names([]):
            pass
        waited = threading.Event()

        def wait() -> None:
            with Store(tmp_path) as other, other.locked_names(["b\udcff", "c"]):
                waited.set()

        thread = threading.Thread(target=wait)
        thread.start()
        assert not waited.wait(0.3)
        holder.kill()
        thread.join(10)
        assert waited.is_set()
        assert {path.name for path in (tmp_path / "locks").iterdir()} == {"index", "names"}


def test_two_threads_of_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        inside: list[int] = []
        most = 0

        def work(number: int) -> None:
            nonlocal most
            for _ in range(50):
                with store.locked_names(["x", str(number)]):
                    inside.append(number)
                    most = max(most, len(inside))
                    inside.remove(number)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert most == 1


def test_garbage_is_not_collected_while_another_process_uses_what_it_found(tmp_path: Path) -> None:
    hold = HOLD_NAMES.replace("store.locked_names(sys.argv[2:])", "store.in_use()")
    with Store(tmp_path) as store, python(hold, tmp_path) as holder:
        assert line(holder) == "had"
        with store.in_use(), store.in_use():
            pass
        with pytest.raises(MachineError, match="in use"):
            gc(store, [])
        start(holder)
        holder.wait(10)
        assert gc(store, []).blobs == 0


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_store_on_a_file_system_without_locks_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    with Store(tmp_path) as store:
        with pytest.raises(MachineError, match="no locks"), store.locked_names(["x"]):
            pass
        with pytest.raises(MachineError, match="no locks"), store.in_use():
            pass
