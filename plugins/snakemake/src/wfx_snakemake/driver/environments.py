"""Conda environments: which ones a run needs, and where Snakemake will look for them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from .problems import Broken, Places, broken
from .profiles import find
from .project import clear, lay_out, linemaps, load, opened, quiet_settings, write_config
from .storage import use_staged_files

ENVIRONMENTS = "conda/envs"
"""Where they are, below the engine's own folder."""


def needed(message: dict[str, Any]) -> list[dict[str, str]]:
    """Return the environments of the jobs that a run is known to have, without making them.

    What a checkpoint brings into being is not known yet, so that a workflow with one needs those of all its rules.
    """
    from .description import build

    places = Places(message)
    workdir = places.state / "describe"
    clear(workdir)
    workdir.mkdir(parents=True)
    lay_out(places, workdir)
    use_conda(message)
    configfiles = write_config(message, places)
    profile = find(places, str(message.get("profile") or ""))
    use_staged_files(message.get("storage") or {}, places)
    targets = set(message["targets"]) or ({message["fragment"]} if message["fragment"] else set())
    try:
        with opened(
            message, places, workdir, profile=profile, configfiles=configfiles, output=quiet_settings(),
            deployment_settings=settings(places),
        ) as (_, loaded):  # fmt: skip
            workflow = load(loaded, places)
            try:
                dag = build(loaded, *sorted(targets))
                found = list(dag.conda_envs.values())
                if any(job.is_checkpoint for job in dag.jobs):
                    specs = {
                        rule.conda_env for rule in workflow.rules if rule.conda_env and not callable(rule.conda_env)
                    }
                    found += [spec.get_conda_env(workflow) for spec in specs if not spec.contains_wildcard]
                return list({env.address: _told(env, places) for env in found}.values())
            except Exception as error:
                raise broken(error, linemaps(loaded), places) from error
    finally:
        clear(workdir)


def _told(env: Any, places: Places) -> dict[str, str]:
    if env.is_externally_managed:
        raise Broken(
            "document", f"a rule asks for the conda environment {env.name or env.dir} of this machine", places.entry,
            "only those that a file describes can be made", "describe it in a file: conda: 'envs/NAME.yaml'",
        )  # fmt: skip
    file = str(env.file.get_path_or_uri(True) if _secretive(env.file) else env.file.get_path_or_uri())
    if env.post_deploy_file:
        raise Broken(
            "document", "a conda environment has a post-deploy script", places.clean(file),
            "it would run with the network at hand", "put what it does into the rules, or use a container",
        )  # fmt: skip
    from snakemake.deployment.conda import get_env_setup_done_flag_file

    pin = str(env.pin_file.get_path_or_uri(True) if _secretive(env.pin_file) else env.pin_file) if env.pin_file else ""
    return {
        "file": file, "pin": pin, "address": str(env.address), "name": places.clean(file),
        "flag": str(get_env_setup_done_flag_file(Path(env.address))),
    }  # fmt: skip


def _secretive(source: Any) -> bool:
    """Say whether the source file is one of Snakemake 9, which asks what of an address may be told."""
    return "secret_free" in source.get_path_or_uri.__code__.co_varnames


def settings(places: Places) -> Any:
    """Return how Snakemake is to deploy software: with the environments that were made."""
    from snakemake.settings.types import DeploymentMethod, DeploymentSettings

    return DeploymentSettings(deployment_method={DeploymentMethod.CONDA}, conda_prefix=places.state / ENVIRONMENTS)


def tell_packages(places: Places, logs: Path) -> None:
    """Put the lists of the packages that the environments have, with their addresses and digests, with the logs."""
    lists = places.state / "conda/lists"
    for file in sorted(lists.iterdir()) if lists.is_dir() else ():
        (logs / "conda").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, logs / "conda" / file.name)


def use_conda(message: dict[str, Any]) -> None:
    """Put conda on PATH; Snakemake calls it by its name."""
    folder = Path(message["state"]) / "conda/bin"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "conda"
    link.unlink(missing_ok=True)
    link.symlink_to(message["conda"])
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
