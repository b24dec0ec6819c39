"""Fetch http and https references in wfx."""

__version__ = "0.1.0"
