"""Threads for a queue of jobs: few at first, more as long as the jobs are slow."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")

# Python runs one thread at a time: where answers come at once, more threads than this are only in each other's way.
FEW = 4
GROW_AFTER = 0.02


def work_through(
    jobs: Sequence[T], work: Callable[[T], None], most: int, break_off: Callable[[Sequence[Future[None]]], None]
) -> list[Future[None]]:
    """Do all jobs with up to `most` threads; return the threads' futures, all of them done.

    At the first exception, and when a signal ends the wait, `break_off` is called; it must see to it that the futures
    come to their end. A thread ends with the first exception of its work; what is left in the queue is not begun then.
    """
    queue = deque(jobs)
    broken = threading.Event()
    finished = 0

    def worker() -> None:
        nonlocal finished
        while not broken.is_set():
            try:
                job = queue.popleft()
            except IndexError:
                return
            work(job)
            finished += 1

    with ThreadPoolExecutor(max(1, min(most, len(jobs))), thread_name_prefix="fetch") as pool:
        futures = [pool.submit(worker) for _ in range(min(FEW, most, len(jobs)))]
        try:
            before = 0
            while True:
                ended, going = wait(futures, timeout=GROW_AFTER, return_when=FIRST_EXCEPTION)
                if not going or any(future.exception() for future in ended):
                    break
                # Each thread had time for a job; where they did not come to its end they wait for somebody else.
                if finished - before < len(futures) and queue and len(futures) < most:
                    more = min(len(futures), most - len(futures), len(queue))
                    futures += [pool.submit(worker) for _ in range(more)]
                before = finished
        finally:
            if any(not future.done() or future.exception() for future in futures):
                broken.set()
                break_off(futures)
    return futures
