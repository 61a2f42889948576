"""How deals go through stages. Pure; no database."""

from crmkit.pipelines.intervals import Interval, Step, follow

__all__ = ["Interval", "Step", "follow"]
