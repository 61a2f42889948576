"""The events of a tag, told from the versions of its taggings."""

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from crmkit.features.tags.history import told

START = datetime(2024, 5, 1, tzinfo=UTC)


def at(day: float) -> datetime:
    return START + timedelta(days=day)


@attrs.frozen
class Tagging:
    recorded_at: datetime
    expires_at: datetime | None = None
    origin: str = "person"


@attrs.frozen
class Changeset:
    recorded_at: datetime
    actor: str = "Ana"
    id: Any = None


@attrs.frozen
class Version:
    record: Tagging
    changeset: Changeset | None
    deleted: bool = False


def put(day: float, expires: float | None = None) -> Version:
    return Version(Tagging(at(day), None if expires is None else at(expires)), Changeset(at(day)))


def taken(version: Version, day: float) -> Version:
    return Version(version.record, Changeset(at(day), "Bo"), deleted=True)


def events(*timeline: Version, now: float = 100) -> list[tuple[str, float, str | None]]:
    found = told([("重要", timeline)], at(now))
    assert {event.tag for event in found} == {"重要"}
    return [(e.what, (e.at - START) / timedelta(days=1), e.by) for e in found]


def test_a_tag_is_put_on_and_taken_off() -> None:
    first = put(1)
    assert events(first) == [("put on", 1, "Ana")]
    assert events(first, taken(first, 3)) == [("put on", 1, "Ana"), ("taken off", 3, "Bo")]


def test_what_has_expired_was_not_taken_off() -> None:
    first = put(1, expires=2)
    assert events(first, now=1.5) == [("put on", 1, "Ana")]
    assert events(first, now=2) == [("put on", 1, "Ana"), ("expired", 2, None)]
    assert events(first, taken(first, 3)) == [("put on", 1, "Ana"), ("expired", 2, None)]
    assert events(first, taken(first, 1.5)) == [("put on", 1, "Ana"), ("taken off", 1.5, "Bo")]


def test_another_expiry_is_a_change_while_it_counts_and_a_new_beginning_after() -> None:
    first = put(1, expires=5)
    assert events(first, put(3, expires=9), now=4) == [("put on", 1, "Ana"), ("changed", 3, "Ana")]
    assert events(first, put(6)) == [("put on", 1, "Ana"), ("expired", 5, None), ("put on", 6, "Ana")]


def test_a_tag_that_was_brought_back_is_put_on_again() -> None:
    first = put(1)
    assert events(first, taken(first, 2), put(3))[-1] == ("put on", 3, "Ana")


def test_events_of_several_taggings_come_in_order_of_time() -> None:
    found = told([("b", [put(2)]), ("a", [put(1)])], at(9))
    assert [event.tag for event in found] == ["a", "b"]
