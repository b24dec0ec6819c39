"""Fetch git repositories, their folders and files in wfx."""

__version__ = "0.1.0"
