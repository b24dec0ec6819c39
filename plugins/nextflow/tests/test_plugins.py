"""A plugin of Nextflow that a pipeline asks for: compiled here, provided by the setting; refused by name without."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from wfx.provided import Kept
from wfx_nextflow import programs

pytestmark = pytest.mark.real

SOURCE = """
package lab.greet
import nextflow.Session
import nextflow.plugin.BasePlugin
import nextflow.plugin.extension.Function
import nextflow.plugin.extension.PluginExtensionPoint
import org.pf4j.PluginWrapper

class GreetPlugin extends BasePlugin {
    GreetPlugin(PluginWrapper wrapper) { super(wrapper) }
}

class GreetExtension extends PluginExtensionPoint {
    protected void init(Session session) { }

    @Function
    String greet(String name) { "hello ${name}".toString() }
}
"""
MANIFEST = """Manifest-Version: 1.0
Plugin-Id: nf-greet
Plugin-Version: 1.0.0
Plugin-Class: lab.greet.GreetPlugin
Plugin-Provider: lab
Plugin-Requires: >=23.10.0
"""
MAIN = """
include { greet } from 'plugin/nf-greet'
process SAY {
    publishDir 'said', mode: 'copy'
    output: path 'said.txt'
    script: "echo ${greet('all')} > said.txt"
}
workflow { SAY() }
"""


@pytest.fixture
def plugins(installed: Kept, tmp_path: Path) -> Path:
    """A folder with the plugin, as `nextflow plugin install` leaves one."""
    classes = tmp_path / "plugins/nf-greet-1.0.0/classes"
    (classes / "META-INF").mkdir(parents=True)
    (classes / "META-INF/MANIFEST.MF").write_text(MANIFEST)
    (classes / "META-INF/extensions.idx").write_text("lab.greet.GreetExtension\n")
    (tmp_path / "Greet.groovy").write_text(SOURCE)
    java = str(programs.java_for(installed.version))
    compiler = "org.codehaus.groovy.tools.FileSystemCompiler"
    jars = f"{installed.folder / 'jars'}/*"
    subprocess.run([java, "-cp", jars, compiler, "-d", classes, tmp_path / "Greet.groovy"], check=True, timeout=120)
    return tmp_path / "plugins"


def test_a_plugin_is_used_where_it_is_provided_and_refused_by_name_elsewhere(
    wfx: Any, plugins: Path, tmp_path: Path
) -> None:
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow/main.nf").write_text(MAIN)
    (tmp_path / "flow/nextflow.config").write_text("plugins { id 'nf-greet@1.0.0' }\n")
    refused = wfx("run", "flow", "-o", "out", check=6)
    assert "the pipeline asks for Nextflow's plugin nf-greet@1.0.0" in refused.stderr
    assert "`nextflow plugin install nf-greet@1.0.0`" in refused.stderr
    assert not (tmp_path / "out").exists()
    wfx.config.mkdir(parents=True, exist_ok=True)
    (wfx.config / "config.toml").write_text(f'[engine."nextflow.nextflow"]\nplugins = "{plugins}"\n')
    wfx("run", "flow", "-o", "out")
    assert (tmp_path / "out/outputs/said/said.txt").read_text() == "hello all\n"
    assert "it asks for Nextflow's plugin nf-greet@1.0.0" in wfx("plan", "flow").stdout
