"""The two markers of pluggy, under the name of this project."""

import pluggy

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "crmkit"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
