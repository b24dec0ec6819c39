"""Start a command and end it, with all that it started, as soon as the process that asked for it is gone.

A script, run as `python -I -S supervisor.py CONTROL STATUS [LOCK]` in a session of its own; the arguments are numbers
of inherited file descriptors. CONTROL is the read end of a pipe whose other end only wfx holds. The kernel closes that
end however wfx dies, `kill -9` included, so an end of file here is the one sign of death that cannot fail to come.

- CONTROL brings 8 bytes of length and a marshalled dict: `command`, `env`, `cwd`, `grace` in seconds, `journal` (a path
  or ""), `cleaning` (commands to run at the end, whatever happened). The byte `e` after it asks for an orderly end; an
  end of file without it means that wfx is dead, which is written into the journal.
- STATUS gets JSON lines: `{"started": PID}` or `{"error": TEXT}`, then `{"exit": CODE}` or `{"signal": NUMBER}` of the
  command, then `{"done": LEFT}` with the number of processes that could not be killed.
- LOCK is the run's lock; holding it until the last process is dead keeps the next wfx out of the directory that long.

On Linux every descendant becomes a child of this process when its parent dies (prctl(2), PR_SET_CHILD_SUBREAPER), so a
daemon cannot get away by forking twice or by a session of its own; elsewhere the process group is ended.

It imports as little as it can (no json, no subprocess): a run waits for its start.
"""

# ruff: noqa: SIM105, UP031 (contextlib and pathlib cost milliseconds; braces are JSON's)

import marshal
import os
import select
import signal
import sys
import time

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGTSTP)
# What a process can be stuck in for longer than this (a dead NFS server) no signal will end.
PATIENCE = 30.0


def main(control: int, status: int, lock: int | None = None) -> None:
    """Run the command until it ends or until wfx does; leave nothing behind."""
    for number in IGNORED:
        # A terminal's Ctrl-C must not end this process before its children.
        signal.signal(number, signal.SIG_IGN)
    wake_up, wake = os.pipe()
    os.set_blocking(wake_up, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    prctl = _prctl()  # type: ignore[no-untyped-call]
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    for inherited in (control, status, lock):
        if inherited is not None:
            os.set_inheritable(inherited, False)

    order = _read_order(control)
    if order is None:
        return
    child, problem = _start(order, prctl)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        # The engine's end of these pipes must be the only one, or wfx would never see its end of file.
        os.dup2(nothing, standard)
    if problem:
        _tell(status, '{"error": "%s"}' % _escaped(problem))
    else:
        _tell(status, '{"started": %d}' % child)

    told_to_end = orphaned = False
    running = not problem
    while running and not told_to_end and not orphaned:
        ready, _, _ = select.select([control, wake_up], [], [])
        if wake_up in ready:
            os.read(wake_up, 4096)
            running = not _reap(child, status)
        if control in ready:
            received = os.read(control, 1)
            told_to_end, orphaned = received != b"", received == b""
    left = _end_all(child, status, order["grace"], running)
    if not orphaned and not told_to_end:
        # The command ended by itself; whether wfx is alive still shows now, and matters only to the journal.
        ready, _, _ = select.select([control], [], [], 0)
        orphaned = bool(ready) and os.read(control, 1) == b""
    _clean(order["cleaning"], order["env"])
    if orphaned and order["journal"]:
        _write_orphaned(order["journal"])
    _tell(status, '{"done": %d}' % left)


def _prctl():  # type: ignore[no-untyped-def]  # typing costs 2 ms of every start
    if not LINUX:
        return lambda *_: None
    import ctypes

    library = ctypes.CDLL(None)
    return lambda option, value: library.prctl(option, value, 0, 0, 0)


def _read_order(control: int) -> dict | None:  # type: ignore[type-arg]
    """Read what to do; None where wfx died before it had said so."""
    data = b""
    length = 8
    while len(data) < length:
        part = os.read(control, length - len(data))
        if not part:
            return None
        data += part
        if len(data) == 8 == length:
            length += int.from_bytes(data, "big")
    order: dict = marshal.loads(data[8:])  # type: ignore[type-arg]  # noqa: S302 (from the process that started this one)
    return order


def _start(order: dict, prctl) -> tuple[int, str]:  # type: ignore[type-arg, no-untyped-def]
    """Fork and execute in a process group of its own; return its id, and the system's words where that failed."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            # Should this supervisor itself be killed, the command goes with it.
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            for number in (*IGNORED, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.chdir(order["cwd"])
            os.execvpe(order["command"][0], order["command"], order["env"])  # noqa: S606
        except BaseException as error:  # noqa: BLE001 (a forked child must never return into the parent's code)
            os.write(tell, str(error).encode("utf-8", "replace")[:4000])
        finally:
            os._exit(127)
    os.close(tell)
    try:
        # Both sides do it, so that the group exists whoever comes first.
        os.setpgid(child, child)
    except OSError:
        pass  # it has executed already, and has done it itself
    problem = b""
    while part := os.read(told, 4096):
        problem += part
    os.close(told)
    return child, problem.decode("utf-8", "replace")


def _reap(child: int, status: int) -> bool:
    """Collect what has ended, orphans too; report the command's end, and say whether it was among them."""
    ended = False
    while True:
        try:
            pid, code = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        if pid == child:
            ended = True
            kind = "signal" if os.WIFSIGNALED(code) else "exit"
            _tell(status, '{"%s": %d}' % (kind, os.WTERMSIG(code) if kind == "signal" else os.WEXITSTATUS(code)))


def _end_all(child: int, status: int, grace: float, running: bool) -> int:
    """Ask the command to end, wait for the grace, and kill whatever is left; return how many would not die."""
    if running:
        _signal_group(_innermost(child), signal.SIGTERM)
        deadline = time.monotonic() + grace
        while running and time.monotonic() < deadline:
            running = not _reap(child, status)
            if running:
                time.sleep(0.01)
    deadline = time.monotonic() + PATIENCE
    pause = 0.001
    while time.monotonic() < deadline:
        _signal_group(child, signal.SIGKILL)
        left = _descendants()
        for pid in left:
            _signal(pid, signal.SIGKILL)
        _reap(child, status)
        if not _has_children():
            return 0
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
    return len(_descendants())


def _has_children() -> bool:
    try:
        # Without WNOHANG it would block; WNOWAIT leaves the status for _reap.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _innermost(child: int) -> int:
    """Return the process that runs the command: bubblewrap, whose death kills at once, is passed over."""
    tree = _processes()
    while child in tree and tree[child][1] == "bwrap":
        inner = [pid for pid, (parent, _) in tree.items() if parent == child]
        if not inner:
            break
        child = min(inner)
    return child


def _descendants() -> list[int]:
    """Return the ids of all processes below this one."""
    tree = _processes()
    found = {os.getpid()}
    grown = True
    while grown:
        below = {pid for pid, (parent, _) in tree.items() if parent in found and pid not in found}
        found |= below
        grown = bool(below)
    return sorted(found - {os.getpid()})


def _processes() -> dict[int, tuple[int, str]]:
    """Return each process with its parent and its name (proc(5), /proc/PID/stat)."""
    tree: dict[int, tuple[int, str]] = {}
    if not LINUX:
        return tree
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    text = file.read()
            except OSError:
                continue  # it has just ended
            head, _, tail = text.rpartition(b")")
            tree[int(name)] = (int(tail.split()[1]), head.partition(b"(")[2].decode("latin-1"))
    return tree


def _signal_group(pid: int, number: int) -> None:
    """Signal the group that a process is in, unless it is this one's own."""
    try:
        group = os.getpgid(pid)
        if group != os.getpgrp():
            os.killpg(group, number)
    except OSError:
        _signal(pid, number)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        pass  # it has ended; its id cannot be another's before this parent has waited for it


def _clean(commands: list, env: dict) -> None:  # type: ignore[type-arg]
    """Run the cleaning commands one after another, each for a minute at most; what fails does not stop the next."""
    for command in commands:
        child, problem = _start({"command": command, "env": env, "cwd": "/"}, lambda *_: None)
        deadline = time.monotonic() + 60
        while not problem and time.monotonic() < deadline:
            try:
                if os.waitpid(child, os.WNOHANG)[0]:
                    break
            except ChildProcessError:
                break
            time.sleep(0.005)
        else:
            _signal_group(child, signal.SIGKILL)


def _write_orphaned(journal: str) -> None:
    now = time.time()
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + ".%03d+00:00" % (now % 1 * 1000)
    line = '{"event": "orphaned", "time": "%s"}\n' % moment
    try:
        # Not created: where the directory is gone there is nobody to tell.
        file = os.open(journal, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            line = "\n" + line
        os.write(file, line.encode())
        os.fsync(file)
    except OSError:
        pass  # the free lock says the same


def _tell(status: int, line: str) -> None:
    try:
        os.write(status, line.encode() + b"\n")
    except OSError:
        pass  # wfx is gone, and nobody else listens


def _escaped(text: str) -> str:
    """Write a text as JSON wants it, all but ASCII letters by number."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(
        chr(unit) if 32 <= unit < 127 and unit not in (34, 92) else "\\u%04x" % unit
        for unit in (units[i] * 256 + units[i + 1] for i in range(0, len(units), 2))
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
