"""Whatever happened: the past reads as it was, what was done can be undone, and the history tells all of it."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import Phase, event, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL

from crmkit import CRM
from crmkit.testing import FakeClock
from tests.integration.histories import PLUGINS, State, Step, Story, apart, done, play, read, units, values
from tests.postgres import new_database
from tests.undoing import counting, one_by_one, told

Places = list[tuple[CRM, FakeClock]]
FEW = max(1, settings().max_examples // 10)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""A history is played on two servers: making one that fails shorter would take many minutes."""


@pytest.fixture(scope="module")
def places(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, postgres_server: URL, postgres_template: str
) -> Iterator[Places]:
    """A CRM on SQLite and one on PostgreSQL; every history is played in a tenant of its own."""
    file = shutil.copy(sqlite_template, tmp_path_factory.mktemp("histories") / "crm.db")
    with new_database(postgres_server, "histories", postgres_template) as url:
        made = []
        for target in (f"sqlite:///{file}", url):
            clock = FakeClock(datetime(2024, 5, 1, tzinfo=UTC), tick=timedelta(milliseconds=1))
            made.append((CRM(target, clock=clock, builtin_plugins=PLUGINS), clock))
        yield made
        for crm, _ in made:
            crm.dispose()


@pytest.mark.law
@pytest.mark.timeout(900)
@settings(max_examples=FEW, phases=PHASES)
@given(units())
def test_the_past_reads_as_it_was_and_the_changes_add_up_to_the_present(places: Places, work: list[list[Step]]) -> None:
    for place in places:
        story = Story.begin(*place)
        seen = [(story.clock.now(), story.state())]
        for actor, unit in enumerate(work):
            seen.append(play(story, unit, actor))
        for instant, state in seen:
            assert story.state(as_of=instant) == state
        changesets = story.changesets()
        event(f"{len(changesets) // 4 * 4} changesets and more")
        assert replayed(story, changesets) == seen[-1][1]["values"]


def replayed(story: Story, changesets: list[UUID]) -> State:
    """What there is if one believes the changes: each finds the record as the one before it left it."""
    records: dict[str, dict[UUID, dict[str, Any]]] = {}
    with story.session() as me:
        for key, found in values(me).items():
            records[key] = {}
            for record_id in found:
                assert [v.record.version for v in me.records(key).history(record_id) if not v.deleted][-1:] == [
                    me.records(key).get(record_id).version
                ]
        for changeset in changesets:
            for change in me.changes_of(changeset):
                known = records.setdefault(change.type_key, {})
                fields = me.schema.types[change.type_key].fields
                before, after = (
                    None if r is None else {f.key: r[f.key] for f in fields if r[f.key] is not None}
                    for r in (change.before, change.after)
                )
                assert known.get(change.id) == before
                differing = {k for k in (before or {}) | (after or {}) if (before or {}).get(k) != (after or {}).get(k)}
                assert {f.key for f in change.fields} == differing
                if after is None:
                    del known[change.id]
                else:
                    known[change.id] = after
    return records


@pytest.mark.law
@pytest.mark.timeout(900)
@settings(max_examples=FEW, phases=PHASES)
@given(units(most=6))
def test_undoing_everything_in_reverse_order_leaves_the_first_state(places: Places, work: list[list[Step]]) -> None:
    for place in places:
        story = Story.begin(*place)
        first = story.state()
        for actor, unit in enumerate(work):
            play(story, unit, actor)
        for changeset in reversed(story.changesets()):
            with story.session() as me:
                result = me.undo(changeset)
                assert (result.kept, result.refused) == ((), ())
        last = story.state()
        assert {**last, "versions": None} == {**first, "versions": None}


@pytest.mark.law
@pytest.mark.timeout(900)
@settings(max_examples=FEW, phases=PHASES)
@given(units(most=4))
def test_a_dry_run_shows_what_the_real_one_does_and_leaves_nothing(places: Places, work: list[list[Step]]) -> None:
    for place in places:
        story = Story.begin(*place)
        for actor, unit in enumerate(work):
            before = story.state()
            known = list(story.accounts), list(story.deals), story.number
            with story.session(actor, dry_run=True) as me:
                dry = shown(me, done(me, story, unit))
            assert story.state() == before
            story.accounts, story.deals, story.number = known
            with story.session(actor) as me:
                real = shown(me, done(me, story, unit))
            assert real == dry


@pytest.mark.law
@pytest.mark.timeout(900)
@settings(max_examples=FEW, phases=PHASES)
@given(units(most=6))
def test_an_undo_in_sets_does_what_an_undo_record_by_record_does(places: Places, work: list[list[Step]]) -> None:
    for place in places:
        story = Story.begin(*place)
        for actor, unit in enumerate(work):
            play(story, unit, actor)
        for actor, changeset in enumerate(story.changesets()):
            with one_by_one(), story.session(actor, dry_run=True) as me:
                slow = told(me, changeset)
            with counting() as counts, story.session(actor, dry_run=True) as me:
                assert told(me, changeset) == slow
            event(f"{len(counts)} sets")


def shown(me: Any, told: list[Any]) -> Any:
    """What a session says it did, and what there is to read in it; new records by what is in them, not by their ids."""
    changes = [(c.kind, c.type_key, c.id, [(f.key, f.before, f.after) for f in c.fields]) for c in me.changes]
    new = {c.id: {f.key: f.after for f in c.fields} for c in me.changes if c.kind == "create"}
    names = {i: str(held.get("name") or held.get("key")) for i, held in new.items() if held.keys() & {"name", "key"}}
    names |= {i: repr(numbered(held, names)) for i, held in new.items() if i not in names}
    return numbered((told, sorted(numbered(changes, names), key=repr), {**read(me), "versions": None}), names)


def numbered(value: Any, names: dict[UUID, str]) -> Any:
    if isinstance(value, UUID):
        return names.get(value, value)
    if isinstance(value, datetime):
        return "an instant"
    if isinstance(value, dict):
        return {numbered(k, names): numbered(v, names) for k, v in value.items()}
    if isinstance(value, set):
        return {numbered(v, names) for v in value}
    if isinstance(value, list | tuple):
        return [numbered(v, names) for v in value]
    return value


# ------------------------------------------------------------------------------------------------------- one changeset

EDITS = ("_many", "_create", "_rename", "_regroup", "_all", "_drop", "_tag", "_untag")
Place = tuple[str, UUID]
Records = dict[Place, dict[str, Any]]


def records_of(state: State) -> Records:
    return {(key, i): row for key in ("account", "tagging") for i, row in state["values"][key].items()}


class Expected:
    """What undoing should come to, told from what was there before, after and now, and from nothing else."""

    def __init__(self, before: Records, after: Records, now: Records) -> None:
        self.now = dict(now)
        self.reverted: set[tuple[Place, frozenset[str]]] = set()
        self.kept: set[tuple[Place, frozenset[str]]] = set()
        self.refused: set[Place] = set()
        touched = sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))
        self.bring_back({p: before[p] for p in touched if p not in after})
        for place in touched:
            if place in before and place in after:
                self.set_back(place, before[place], after[place])
        others = {row["record"] for (key, i), row in now.items() if key == "tagging" and (key, i) not in touched}
        self.delete_again({p: after[p] for p in touched if p not in before}, others)

    def keep(self, place: Place, *fields: str) -> None:
        self.kept.add((place, frozenset(fields)))

    def there(self, type_key: str, record_id: Any) -> bool:
        return record_id is None or (type_key, record_id) in self.now

    def bring_back(self, lost: Records) -> None:
        wanted = {p: row for p, row in lost.items() if p not in self.now}
        for place in lost.keys() - wanted.keys():
            self.keep(place)
        pairs = {(row["tag"], row["record"]) for (key, _), row in self.now.items() if key == "tagging"}
        self.now |= wanted
        while gone := {p for p in wanted if p in self.now and not self.fits(wanted[p], pairs)}:
            for place in gone:
                del self.now[place]
                self.refused.add(place)
        self.reverted |= {(p, frozenset()) for p in wanted if p in self.now}

    def fits(self, row: dict[str, Any], pairs: set[Any]) -> bool:
        if "tag" in row:
            return self.there("account", row["record"]) and (row["tag"], row["record"]) not in pairs
        return self.there("account", row.get("parent"))

    def set_back(self, place: Place, before: dict[str, Any], after: dict[str, Any]) -> None:
        row = self.now.get(place)
        if row is None:
            self.keep(place)
            return
        fields = {f for f in before.keys() | after.keys() if before.get(f) != after.get(f)}
        edited = {f for f in fields if row.get(f) not in (before.get(f), after.get(f))}
        back = {f for f in fields - edited if row.get(f) != before.get(f)}
        if edited or not back:
            self.keep(place, *edited)
        if "parent" in back and not self.there("account", before.get("parent")):
            self.refused.add(place)
        elif back:
            values = {**row, **{f: before.get(f) for f in back}}
            self.now[place] = {f: value for f, value in values.items() if value is not None}
            self.reverted.add((place, frozenset(back)))

    def delete_again(self, made: Records, tagged_by_others: set[UUID]) -> None:
        going = {p for p, row in made.items() if self.now.get(p) == row}
        for place in made.keys() - going:
            row = self.now.get(place, {})
            fields = made[place].keys() | row.keys() if row else ()
            self.keep(place, *(f for f in fields if made[place].get(f) != row.get(f)))
        used = {place for place in going if place[1] in tagged_by_others}
        for place in used:
            self.keep(place)
        going -= used
        for place in {p for p in going if self.subject(p) in made.keys() - going}:
            self.keep(place)
            going.remove(place)
        while stay := {place for place in going if self.held(place, going)}:
            self.refused |= stay
            going -= stay
        torn = {place for place in going if self.subject(place) in self.refused}
        self.refused |= torn
        going -= torn
        ids = {i for key, i in going if key == "account"}
        self.now = {p: r for p, r in self.now.items() if p not in going and r.get("record") not in ids}
        self.reverted |= {(p, frozenset()) for p in going}

    def subject(self, place: Place) -> Place | None:
        """The account that a tagging is about."""
        return ("account", self.now[place]["record"]) if place[0] == "tagging" else None

    def held(self, target: Place, going: set[Place]) -> bool:
        """Whether an account that stays has it as its parent."""
        rows = (row for place, row in self.now.items() if place not in going and place[0] == "account")
        return target[0] == "account" and any(row.get("parent") == target[1] for row in rows)


@pytest.mark.law
@pytest.mark.timeout(900)
@settings(max_examples=FEW, phases=PHASES)
@example(work=[[("_create", 0, 1)], [("_many", 1, 0), ("_tag", 1, 1)], [("_tag", 1, 0)]], number=0)
@given(work=units(EDITS).map(apart), number=st.integers(0, 7))
def test_an_undo_takes_back_what_nobody_has_changed_since_and_says_what_it_left(
    places: Places, work: list[list[Step]], number: int
) -> None:
    chosen = 1 + number % (len(work) - 1)
    for place in places:
        story = Story.begin(*place)
        work[0] = [*work[0][:2], ("_tag", 0, 0), ("_tag", 0, 1)]
        seen = [records_of(story.state())]
        changesets: list[UUID | None] = [None]
        for actor, unit in enumerate(work):
            with story.session(actor) as me:
                done(me, story, unit)
            changesets.append(me.changeset_id)
            seen.append(records_of(story.state()))
        changeset = changesets[chosen + 1]
        if changeset is None:
            event("nothing to undo")
            continue
        expected = Expected(seen[chosen], seen[chosen + 1], seen[-1])
        with story.session() as me:
            result = me.undo(changeset)
        event(f"{len(result.kept) > 0} kept, {len(result.refused) > 0} refused")
        assert {((e.type_key, e.id), frozenset(e.fields)) for e in result.reverted} == expected.reverted
        assert {((e.type_key, e.id), frozenset(e.fields)) for e in result.kept} == expected.kept
        assert {(e.type_key, e.id) for e in result.refused} == expected.refused
        assert all(entry.problems and entry.reason for entry in result.refused)
        assert records_of(story.state()) == expected.now
