"""Which of the jobs that are ready run next: Snakemake's own choice, without its waits where nothing is to be chosen.

It solves an integer program with a program of its own for every job that ends, over all jobs that are ready: for
thousands of them that takes longer than the jobs. What runs first changes no result.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

MANY = 100
"""From so many jobs on, the best choice and Snakemake's greedy one leave hardly a core idle."""


def quicken() -> None:
    """Have Snakemake solve a program only where a few jobs compete for what there is."""
    try:
        from snakemake.scheduling import milp
    except ImportError:
        _quicken_8()
        return
    original: Callable[..., Any] = milp.Scheduler.select_jobs

    def select_jobs(self: Any, ready: Any, remaining: Any, available: Any, sizes: Any) -> Any:
        if fits(ready, available):
            return list(ready)
        # None leaves the choice to its greedy scheduler.
        return None if len(ready) > MANY else original(self, ready, remaining, available, sizes)

    milp.Scheduler.select_jobs = select_jobs


def _quicken_8() -> None:
    from snakemake.scheduler import JobScheduler

    original = JobScheduler.job_selector_ilp

    def job_selector_ilp(self: Any, jobs: Any) -> Any:
        if len(jobs) > MANY or fits(jobs, self.resources):
            return self.job_selector_greedy(jobs)
        return original(self, jobs)

    JobScheduler.job_selector_ilp = job_selector_ilp


def fits(jobs: Collection[Any], available: Mapping[str, Any]) -> bool:
    """Say whether all jobs can run at once, so that there is nothing to choose."""
    if len(jobs) > available.get("_cores", 0) or any(job.priority < 0 for job in jobs):
        return False
    return all(sum(job.scheduler_resources.get(name, 0) for job in jobs) <= there for name, there in available.items())
