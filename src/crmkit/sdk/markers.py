"""The two markers of pluggy, under the name of this project."""

import pluggy

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "crmkit"
"""The name under which hooks are found, and the entry point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
"""Marks the declaration of a hook; for ``crmkit.sdk.hooks`` only."""
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function or method as the implementation of the hook of its name."""
