"""The ways of an account's lifecycle, for plugins that guard or follow them."""

from crmkit.records.lifecycle import LIFECYCLE, WAYS, Refusal, Way, refusal, ways_from

__all__ = ["LIFECYCLE", "WAYS", "Refusal", "Way", "refusal", "ways_from"]
