"""What a metric counted and what it left out: each deal in one named part, so that the parts add up to the whole."""

from collections import Counter
from collections.abc import Hashable, Mapping

import attrs

from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.shares import added

__all__ = ["Parts", "PartsFold"]


@attrs.frozen
class Parts:
    """How many are in each part, by its name, and their ids where the frame asked for them; no part is empty."""

    counts: Mapping[str, int] = attrs.field(factory=dict)
    ids: Mapping[str, frozenset[Hashable]] = attrs.field(factory=dict)

    @property
    def n(self) -> int:
        """How many there are in all parts."""
        return sum(self.counts.values())

    def __getitem__(self, part: str) -> int:
        return self.counts.get(part, 0)

    def __add__(self, other: "Parts") -> "Parts":
        if not isinstance(other, Parts):
            return NotImplemented
        ids = dict(self.ids)
        for part, own in other.ids.items():
            ids[part] = ids.get(part, frozenset()) | own
        return Parts(added(self.counts, other.counts), ids)

    def without(self, *counted: str) -> dict[str, int]:
        """How many are in each part but those: what was excluded, by reason."""
        return {part: number for part, number in sorted(self.counts.items()) if part not in counted}

    def moved(self, part: str, other: "Parts") -> "Parts":
        """The same, where those of a part that are in ``other`` are in the parts they have there."""
        counts, ids = Counter(self.counts), dict(self.ids)
        counts[part] -= other.n
        if part in ids:
            ids[part] = ids[part].difference(*other.ids.values())
        return Parts(dict(+counts), {key: own for key, own in ids.items() if own}) + other

    def members(self, frame: Frame) -> dict[str, tuple[Hashable, ...]] | None:
        """The ids of each part in the order of their texts, if the frame asks for them."""
        return {part: tuple(sorted(ids, key=str)) for part, ids in sorted(self.ids.items())} if frame.members else None


class PartsFold:
    """Parts on their way into :class:`Parts`; it changes while facts are folded, and belongs to who folds them."""

    __slots__ = ("_counts", "_ids", "_listed")

    def __init__(self, frame: Frame) -> None:
        self._counts: dict[str, int] = {}
        self._ids: dict[str, set[Hashable]] = {}
        self._listed = frame.members

    def add(self, part: str, id: Hashable) -> None:
        """Count one in a part."""
        self._counts[part] = self._counts.get(part, 0) + 1
        if self._listed:
            self._ids.setdefault(part, set()).add(id)

    def done(self) -> Parts:
        """What was counted so far, frozen."""
        return Parts(dict(self._counts), {part: frozenset(ids) for part, ids in self._ids.items()})
