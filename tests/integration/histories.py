"""Random histories: units of work by several sessions, and everything that can be read of what they did."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

import attrs
from hypothesis import strategies as st

from crmkit import CRM, F, Money
from crmkit.errors import CrmkitError, InvalidQuery
from crmkit.schema.types import Integer, Text
from crmkit.testing import FakeClock

State = dict[str, Any]
READ = ("account", "deal", "stage_interval", "tag", "tagging", "custom_object", "custom_field", "vessel")
"""The record types that histories are made of."""
PLUGINS = ("crmkit.plugins.sales_team", "crmkit.plugins.sales_pipeline", "crmkit.plugins.required_by_stage")
"""Those that furnish a tenant or decide; one that answers would make changesets of its own."""

_TENANTS = count()


@attrs.define
class Story:
    """A history under way, in a tenant of its own, and the names of what is or was there."""

    crm: CRM
    clock: FakeClock
    tenant: str
    number: int = 0
    accounts: list[UUID] = attrs.field(factory=list)
    deals: list[UUID] = attrs.field(factory=list)

    @classmethod
    def begin(cls, crm: CRM, clock: FakeClock) -> "Story":
        tenant = f"t{next(_TENANTS)}"
        crm.tenants.create(tenant)
        crm.tenants.admit(tenant, "ana@acme.example")
        return cls(crm, clock, tenant)

    def session(self, actor: int = 0, **options: Any) -> Any:
        if actor % 2:
            return self.crm.session("ana@acme.example", tenant=self.tenant, **options)
        return self.crm.system(tenant=self.tenant, **options)

    def changesets(self) -> list[UUID]:
        """All of them but those that furnished the tenant, oldest first."""
        with self.session() as me:
            found = me.changesets.latest(me.unit, 10_000)
        return [c.id for c in reversed(found) if c.origin != "setup"]

    def state(self, **options: Any) -> State:
        with self.session(**options) as me:
            return read(me)

    def name(self) -> str:
        self.number += 1
        return f"客户 {self.number}"


def values(me: Any) -> State:
    """What the records hold, by type, id and field."""
    return {
        key: {r.id: {f.key: r[f.key] for f in me.schema.types[key].fields if r[f.key] is not None} for r in found}
        for key in READ
        if key in me.schema.types
        for found in [list(me.records(key))]
    }


def read(me: Any) -> State:
    """All that is read of this history: the records with their versions, and some questions about them."""
    versions = {(key, r.id): (r.version, r.changeset_id) for key in values(me) for r in me.records(key)}
    custom = {f.key: (f.type.name, f.indexed) for f in me.type_of("account").custom}
    return {
        "values": values(me),
        "versions": versions,
        "fields": custom,
        "in order": [account.name for account in me.accounts.order_by(-F.headcount, F.name)],
        "tagged": {account.id for account in me.accounts.where(F.tags.has("重要"))},
        "with deals": {account.id for account in me.accounts.where(F.deals.count() > 0)},
        "led": {account.id for account in me.accounts.where(F.parent.headcount >= 1)},
        "totals": sorted((repr(group.key), group.count, repr(group.sums)) for group in totals(me)),
        "custom": {key: asked(me, key) for key in custom},
    }


def totals(me: Any) -> list[Any]:
    return me.deals.totals(by=F.outcome, sums=F.amount)  # type: ignore[no-any-return]


def asked(me: Any, key: str) -> Any:
    try:
        return me.accounts.where(~F[key].is_null()).count(), me.accounts.where(F[key] == "1").count()
    except InvalidQuery as error:
        return error.code


# ------------------------------------------------------------------------------------------------------------ the verbs

Verb = Callable[[Any, Story, int, int], Any]
INDUSTRIES = ("steel", "软件", None)
TAGS = ("重要", "vip")
STAGES = ("proposal", "won", "lost")
KEYS = ("size", "code")


def _one(found: list[UUID], number: int) -> UUID:
    return found[number % len(found)] if found else UUID(int=number)


def _create(me: Any, story: Story, a: int, b: int) -> Any:
    parent = _one(story.accounts, a) if b % 3 == 0 and story.accounts else None
    made = me.accounts.create(name=story.name(), headcount=b, parent=parent)
    story.accounts.append(made.id)


def _deal(me: Any, story: Story, a: int, b: int) -> Any:
    account = _one(story.accounts, a) if story.accounts else None
    made = me.deals.create(name=story.name(), account=account, amount=Money(b, "EUR") if b else None)
    story.deals.append(made.id)


def _many(me: Any, story: Story, a: int, b: int) -> Any:
    rows = [{"name": story.name(), "headcount": a}, {"name": "x", "headcount": -1}, {"name": story.name()}]
    result = me.accounts.create_many(rows)
    story.accounts.extend(result.ids)
    return [(outcome.row, outcome.status, [p.code for p in outcome.problems]) for outcome in result.outcomes]


def _rename(me: Any, story: Story, a: int, b: int) -> Any:
    me.accounts.update(_one(story.accounts, a), industry=INDUSTRIES[b % 3], description=str(b % 2))


def _regroup(me: Any, story: Story, a: int, b: int) -> Any:
    me.accounts.update(_one(story.accounts, a), parent=_one(story.accounts, b) if b % 2 else None, headcount=b)


def _sell(me: Any, story: Story, a: int, b: int) -> Any:
    me.deals.update(_one(story.deals, a), account=_one(story.accounts, b), amount=Money(b, "EUR"))


def _all(me: Any, story: Story, a: int, b: int) -> Any:
    result = me.accounts.where(F.headcount >= a).update(industry=INDUSTRIES[b % 3])
    return [(outcome.row, outcome.status) for outcome in result.outcomes]


def _drop(me: Any, story: Story, a: int, b: int) -> Any:
    me.accounts.delete(_one(story.accounts, a))


def _drop_deal(me: Any, story: Story, a: int, b: int) -> Any:
    me.deals.delete(_one(story.deals, a))


def _tag(me: Any, story: Story, a: int, b: int) -> Any:
    me.accounts.tag(_one(story.accounts, a), TAGS[b % 2])


def _untag(me: Any, story: Story, a: int, b: int) -> Any:
    me.accounts.untag(_one(story.accounts, a), TAGS[b % 2])


def _move(me: Any, story: Story, a: int, b: int) -> Any:
    me.deals.move(_one(story.deals, a), to=STAGES[b % 3])


def _define(me: Any, story: Story, a: int, b: int) -> Any:
    me.fields.add("account", KEYS[a % 2], Integer() if b % 2 else Text(), indexed=b % 3 == 0)


def _redefine(me: Any, story: Story, a: int, b: int) -> Any:
    me.fields.change("account", KEYS[a % 2], Text() if b % 2 else Integer(), label=f"字段 {b}")


def _undefine(me: Any, story: Story, a: int, b: int) -> Any:
    me.fields.remove("account", KEYS[a % 2])


def _set(me: Any, story: Story, a: int, b: int) -> Any:
    key = KEYS[b % 2]
    field = me.type_of("account").by_key.get(key)
    me.accounts.update(_one(story.accounts, a), {key: b if field and field.type.name == "integer" else str(b)})


def _vessel(me: Any, story: Story, a: int, b: int) -> Any:
    if "vessel" not in me.schema.types:
        me.objects.add("vessel", plural="vessels", label="船")
    me.records("vessel").create(name=story.name())


def _undo(me: Any, story: Story, a: int, b: int) -> Any:
    found = [c.id for c in me.changesets.latest(me.unit, 10_000) if c.origin != "setup"]
    if found:
        result = me.undo(found[(a * 7 + b) % len(found)])
        buckets = (result.reverted, result.kept, result.refused)
        return [sorted((e.type_key, e.id, e.fields, e.reason) for e in bucket) for bucket in buckets]
    return None


VERBS: Mapping[str, Verb] = {
    verb.__name__: verb
    for verb in (
        _create, _deal, _many, _rename, _regroup, _sell, _all, _drop, _drop_deal, _tag, _untag, _move,
        _define, _redefine, _undefine, _set, _vessel, _undo,
    )
}  # fmt: skip

Step = tuple[str, int, int]


def steps(names: Iterable[str] = VERBS) -> st.SearchStrategy[Step]:
    return st.tuples(st.sampled_from(list(names)), st.integers(0, 5), st.integers(0, 5))


def units(names: Iterable[str] = VERBS, most: int = 8) -> st.SearchStrategy[list[list[Step]]]:
    """Units of work, each of some verbs; the first makes something to work on."""
    made = [("_many", 1, 0), ("_create", 0, 3), ("_deal", 1, 2)]
    first = st.just([step for step in made if step[0] in names])
    rest = st.lists(st.lists(steps(names), min_size=1, max_size=3), min_size=2, max_size=most)
    return st.tuples(first, rest).map(lambda pair: [pair[0], *pair[1]])


ALONE = ("_drop", "_drop_deal", "_untag", "_define", "_undefine", "_undo")


def apart(work: list[list[Step]]) -> list[list[Step]]:
    """The same units, but for verbs that delete, which are units of their own: none changes a record and deletes it."""
    return [unit if all(step[0] not in ALONE for step in unit) else unit[:1] for unit in work]


def done(me: Any, story: Story, unit: list[Step]) -> list[Any]:
    """Does a unit of work; what is refused is left out, and said."""
    told: list[Any] = []
    for name, a, b in unit:
        try:
            with me.doing("step"):
                told.append((name, VERBS[name](me, story, a, b)))
        except CrmkitError as error:
            told.append((name, type(error).__name__, sorted((p.code, p.field or "") for p in error.problems)))
    return told


def play(story: Story, unit: list[Step], actor: int) -> tuple[datetime, State]:
    """Does a unit of work and keeps it; an instant after it, and what there was to read at that instant."""
    with story.session(actor) as me:
        done(me, story, unit)
    return story.clock.now(), story.state()
