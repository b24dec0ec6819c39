"""Fetch git repositories, their folders and files in wfx."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_git.fetcher import GitFetcher
from wfx_git.hosts import GitHubResolver, GitHubShorthand, GitLabResolver

__version__ = "0.1.0"
__all__ = ["GitFetcher", "GitHubResolver", "GitHubShorthand", "GitLabResolver"]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer repositories, and the addresses of the two hosts that most are on, in full and short."""
    return [GitFetcher, GitHubResolver, GitHubShorthand, GitLabResolver]
