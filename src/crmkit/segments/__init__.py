"""Segments: lists as sets, the history of tags, and ready-made expressions for who matters when.

::

    tables       who is in a list and who is not, in one statement each
    tag_history  the versions of taggings, told as events
    rfm          recency, frequency and value by stored cut points
    tiers        A, B, C by expected close
    contacts     which activities are contacts, and about what
    worklist     much at stake, and nobody in touch

All but ``tables`` are pure: they make expressions and decide, and read nothing.
"""

from crmkit.segments.tables import NO_TAG, Standing, Worn, entering, leaving, standing, worn
from crmkit.segments.tag_history import TagEvent, told

__all__ = ["NO_TAG", "Standing", "TagEvent", "Worn", "entering", "leaving", "standing", "told", "worn"]
