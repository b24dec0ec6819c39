"""Run a workflow and say how it ended."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import traceback
from pathlib import Path
from typing import Any

from . import environments
from .events import TAIL, Recorder
from .notebooks import need_their_program
from .outputs import NamedOutputs, publish
from .problems import Broken, Places, broken, one_line
from .profiles import Profile, find
from .project import clear, lay_out, linemaps, load, opened, write_config
from .spawned import spawn_like_this
from .storage import use_staged_files
from .watching import Listener, watch

# Nothing of the host but the run directory, no network, no variables: as with every other engine.
CONTAINED = "--containall --cleanenv --net --network none"


def run(message: dict[str, Any]) -> dict[str, Any]:
    """Run the workflow; tell events, return the result."""
    places = Places(message)
    workdir = places.state / "work"
    workdir.mkdir(parents=True, exist_ok=True)
    lay_out(places, workdir)
    if message.get("conda"):
        environments.use_conda(message)
        environments.tell_packages(places, Path(message["logs"]).parent)
    recorder = Recorder(message, places, workdir)
    listener = Listener(recorder)
    targets = set(message["targets"]) or ({message["fragment"]} if message["fragment"] else set())
    configfiles = write_config(message, places)
    profile = find(places, str(message.get("profile") or ""))
    use_staged_files(message.get("storage") or {}, places)
    with opened(
        message, places, workdir, profile=profile, configfiles=configfiles, output=output_settings(listener),
        cores=cores_of(message), deployment_settings=deployment(message, places),
    ) as (_, loaded):  # fmt: skip
        logging.getLogger("snakemake.logging").addHandler(listener)
        workflow = load(loaded, places)
        forget_environments(workflow, made=bool(message.get("conda")), containers=bool(message.get("containers")))
        if not targets and not workflow.default_target:
            raise Broken(
                "document", "it has no default target", places.entry, "the rules of included documents are none",
                f"name one: {places.entry}#RULE",
            )  # fmt: skip
        watch(recorder, lambda started: need_their_program(started, places, bool(message.get("containers"))))
        spawn_like_this(message, places.state)
        error = execute(loaded, targets, recorder, places, profile)
        if error is None:
            named = NamedOutputs()
            named.of_dag(workflow.dag)
            outputs = publish(named, message["declared"], workdir, Path(message["outputs"]), places)
    recorder.tell_cached()
    if error is not None:
        return {"status": "failed", "exit_code": exit_code(recorder), "outputs": {}, "error": error}
    clear(workdir)
    (places.state / "finished-jobs.jsonl").unlink(missing_ok=True)
    return {"status": "completed", "exit_code": 0, "outputs": outputs, "error": ""}


def forget_environments(workflow: Any, *, made: bool, containers: bool) -> None:
    """Take the conda environments from rules whose programs are on PATH, or in the rule's container.

    Snakemake reads them for its records else, for which some of its versions need conda itself.
    """
    for rule in workflow.rules:
        if not made or (containers and rule.container_img):
            rule._conda_env = None


def execute(loaded: Any, targets: set[str], recorder: Recorder, places: Places, profile: Profile) -> str | None:
    """Run the jobs; return None, or why a job failed. Raises Broken where it comes to none for a fault of the workflow."""
    from snakemake.exceptions import WorkflowError
    from snakemake.settings.types import DAGSettings, ExecutionSettings

    try:
        dag = loaded.dag(DAGSettings(targets=targets, force_incomplete=True))
        # A run directory has one owner, and its lock outlives no process.
        settings = ExecutionSettings(lock=False, latency_wait=3)
        if profile.name:
            given = profile.arguments(places.state)
            settings.retries, settings.keep_going = given.retries, given.keep_going
            settings.latency_wait = max(3, given.latency_wait) if profile.sets("latency-wait", "output-wait") else 3
        dag.execute_workflow(executor="local", execution_settings=settings)
    except Broken:
        raise
    except Exception as error:
        recorder.end_all()
        if recorder.failures():
            return why(recorder)
        if recorder.executions:
            # Jobs have run; a checkpoint, or what depends on it, has failed in Snakemake itself.
            traceback.print_exc()
            told = broken(error, linemaps(loaded), places).answer
            return recorder.clean(": ".join(filter(None, (told["where"], told["what"], told["why"]))))
        if not isinstance(error, WorkflowError):
            traceback.print_exc()
        raise broken(error, linemaps(loaded), places) from error
    recorder.end_all()
    return why(recorder) if recorder.failures() else None


def output_settings(listener: Listener) -> Any:
    """Return how Snakemake is to speak; its words go to the log of the engine."""
    from snakemake.settings.types import OutputSettings

    names = OutputSettings.__dataclass_fields__
    handlers = {"log_handlers": [listener.message]} if "log_handlers" in names else {}
    return OutputSettings(nocolor=True, printshellcmds=True, **handlers)


def cores_of(message: dict[str, Any]) -> int:
    """Return the cores that jobs may use at once."""
    if message["cores"]:
        return int(message["cores"])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def deployment(message: dict[str, Any], places: Places) -> Any:
    """Return where rules with container images find them: under the names that Snakemake gives to pulled ones."""
    from snakemake.settings.types import DeploymentMethod, DeploymentSettings

    made = environments.settings(places) if message.get("conda") else DeploymentSettings()
    containers = message.get("containers")
    if not containers:
        return made
    prefix = places.state / "images"
    prefix.mkdir(exist_ok=True)
    for name, image in containers["images"].items():
        # snakemake.deployment.singularity.Image.path
        link = prefix / f"{hashlib.md5(name.encode()).hexdigest()}.simg"  # noqa: S324 (a file name)
        link.unlink(missing_ok=True)
        link.symlink_to(image["name"])
    return DeploymentSettings(
        deployment_method={DeploymentMethod.APPTAINER, *made.deployment_method}, apptainer_prefix=prefix,
        conda_prefix=made.conda_prefix,
        apptainer_args=f"{CONTAINED} --bind {places.root}",
    )  # fmt: skip


def exit_code(recorder: Recorder) -> int:
    """Return the exit code of the first job that failed, or 1."""
    codes = [execution.fields.get("exit_code") for execution in recorder.failures()]
    return next((int(code) for code in codes if code), 1)


def why(recorder: Recorder) -> str:
    """Say why the run failed: each job that did, with the last lines of what it said."""
    lines = [
        f"job '{execution.fields['id']}' {ended(execution.fields.get('exit_code'))}: {execution.fields.get('error', '')}"
        .rstrip(": ")
        for execution in recorder.failures()[:3]
    ]  # fmt: skip
    if not any(execution.fields.get("error") for execution in recorder.failures()):
        lines += [one_line(text) for text in recorder.messages[-TAIL:]]
    return "\n".join(lines) or "Snakemake says only that it failed"


def ended(code: int | None) -> str:
    """Say how a program ended."""
    if not code:
        return "failed"
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"died by the signal {signal.Signals(-code).name}"
    except ValueError:
        return f"died by the signal {-code}"
