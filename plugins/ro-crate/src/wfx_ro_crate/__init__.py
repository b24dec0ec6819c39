"""Describe wfx runs as Workflow Run RO-Crates, check and pack them."""

__version__ = "0.1.0"
