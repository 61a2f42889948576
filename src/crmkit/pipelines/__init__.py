"""How deals go through stages: the intervals they leave behind, and what is wrong with some. Pure; no database."""

from crmkit.pipelines.intervals import Fault, Step, faults, follow

__all__ = ["Fault", "Step", "faults", "follow"]
