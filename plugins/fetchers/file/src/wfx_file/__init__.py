"""Fetch local files and data: URIs in wfx."""

__version__ = "0.1.0"
