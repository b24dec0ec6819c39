"""Crates and zips keep the contract of exporters."""

from wfx.testing import ExporterContract
from wfx_ro_crate.exporters import DirectoryExporter, RoCrateExporter, ZipExporter


class TestRoCrate(ExporterContract):
    exporter = RoCrateExporter


class TestDirectory(ExporterContract):
    exporter = DirectoryExporter


class TestZip(ExporterContract):
    exporter = ZipExporter
