"""Every public name by which a person or a command reaches data, with a use of it; and what is seen through it.

A public method or property that is not listed here fails ``test_every_public_name_is_used_here``: whoever adds one says
here how it is used, and it is tried between tenants and between people with different rights from then on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import attrs

from crmkit import CRM, F, Money, Period, in_segment
from crmkit.errors import CrmkitError
from crmkit.features.customising.collections import Fields, Objects
from crmkit.features.metrics.metrics import Metrics
from crmkit.features.pipelines.collections import Deals, Pipelines
from crmkit.features.segments.collection import Segments
from crmkit.kernel.collections.collection import Collection
from crmkit.kernel.collections.query import Query
from crmkit.kernel.session.session import Session
from crmkit.kernel.session.tenants import Tenants
from crmkit.query.nodes import TRUE
from crmkit.schema import Record
from crmkit.schema.types import Integer

Use = Callable[[Any, "Caller"], Any]

LATER = datetime(2024, 4, 1, tzinfo=UTC)
"""Between the making of a world (January) and its use (May): what is later is only said to be later."""


@attrs.frozen
class Caller:
    """Who calls, in which CRM and tenant, and the ids of what is there, by name."""

    crm: CRM
    tenant: str
    names: Mapping[str, Any]
    who: Any

    def __getattr__(self, name: str) -> Any:
        try:
            return self.names[name]
        except KeyError:
            raise AttributeError(name) from None

    def look(self, look: Callable[[], Any]) -> Any:
        """What is there, or the code of the error."""
        try:
            return look()
        except CrmkitError as error:
            return error.code


# ------------------------------------------------------------------------------------------------------------- the uses

_NO_DATA = "holds no records"

CRM_USES: dict[str, Use | str] = {
    "actions": lambda me, w: sorted(w.crm.actions),
    "actor": lambda me, w: w.crm.actor(me, w.who),
    "clock": _NO_DATA,
    "codec": _NO_DATA,
    "commands": lambda me, w: sorted(w.crm.commands.by_name),
    "database": lambda me, w: w.crm.database.dialect,
    "declared": lambda me, w: sorted(w.crm.declared.types),
    "deliver": lambda me, w: w.crm.deliver(w.tenant),
    "dispose": "closes connections",
    "examine": "the operator looks at all tenants",
    "extensions": lambda me, w: sorted(w.crm.extensions.attributes),
    "field_types": lambda me, w: sorted(w.crm.field_types),
    "ids": _NO_DATA,
    "listeners": lambda me, w: w.crm.listeners("crmkit_before_change", "deal"),
    "migrate": "done once, before there are records",
    "plugins": lambda me, w: w.crm.plugins.names,
    "policy": lambda me, w: w.crm.policy(me, w.who, me.schema).may("deal", "read"),
    "record_classes": lambda me, w: [c.__name__ for c in w.crm.record_classes],
    "redeliver": lambda me, w: w.crm.redeliver(tenant=w.tenant),
    "registry": lambda me, w: w.crm.registry.state(me.unit, me.tenant.id).zone,
    "seal": lambda me, w: w.crm.seal(w.tenant),
    "session": lambda me, w: in_session(w, lambda other: other.accounts.count()),
    "shelf": _NO_DATA,
    "system": "the system may do everything in the tenant it names; as a session",
    "tables": lambda me, w: sorted(w.crm.tables.live),
    "tenant_schema": lambda me, w: sorted(w.crm.tenant_schema(me).segments),
    "tenants": "see Tenants",
    "undelivered": lambda me, w: w.crm.undelivered(w.tenant),
    "verify": lambda me, w: (w.crm.verify(w.tenant).sealed, w.crm.verify(w.tenant).broken),
}

SESSION_USES: dict[str, Use | str] = {
    "actor": lambda me, w: (me.actor.name, me.actor.id, me.actor.role_ids, me.actor.ids),
    "after_commit": _NO_DATA,
    "alone": _NO_DATA,
    "announce": _NO_DATA,
    "announced": lambda me, w: sorted(me.announced),
    "as_of": lambda me, w: in_session(w, lambda past: list(past.accounts), as_of=LATER),
    "ask": lambda me, w: me.ask("sales_pipeline", ()),
    "base_view": lambda me, w: list(me.reading(me.base_view()).records("account")),
    "bulk": "the frame of bulk verbs, which are tried as verbs",
    "causation": lambda me, w: me.causation,
    "changes": lambda me, w: (me.accounts.create(name="new NORTH"), me.changes)[1],
    "changes_of": lambda me, w: list(me.changes_of(w.first_changeset)),
    "changeset": lambda me, w: me.changeset(w.first_changeset),
    "changeset_id": lambda me, w: me.changeset_id,
    "changesets": lambda me, w: (me.changesets.latest(me.unit), list(me.changesets.touched(me.unit, w.changeset))),
    "checks": lambda me, w: me.checks("account"),
    "close": "closes the connection",
    "commit": "keeps what verbs did, which are tried as verbs",
    "committed": lambda me, w: me.committed,
    "configuration": lambda me, w: [stage.name for stage in me.configuration("stage")],
    "crm": "see CRM",
    "do": lambda me, w: me.do(me.crm.commands.by_name["deal.move"](w.deal, to="proposal")),
    "doing": "the frame of verbs, which are tried as verbs",
    "dry_run": lambda me, w: in_session(w, lambda dry: (dry.accounts.delete(w.spare), dry.changes)[1], dry_run=True),
    "explain": lambda me, w: [me.explain(a, action) for a in me.accounts for action in ("read", "update", "delete")],
    "fields": "see Fields",
    "follow_ups": lambda me, w: me.follow_ups("pipelines", ()),
    "forget": _NO_DATA,
    "forget_readers": _NO_DATA,
    "forms": lambda me, w: sorted(me.forms.by_type),
    "find": lambda me, w: [w.look(lambda i=i: me.find(i).key) for i in (w.account, w.vessel, w.gone, w.parent)],
    "history": lambda me, w: list(me.history().changes(w.first_changeset)),
    "ids": _NO_DATA,
    "judge": lambda me, w: [me.judge.sees("account", r) for r in me.system_reader.by_ids("account", [w.account])],
    "kept": lambda me, w: sorted(me.kept),
    "listeners": lambda me, w: me.listeners("crmkit_before_change", "deal"),
    "log": lambda me, w: me.log(),
    "may_do": lambda me, w: [me.may_do("account", "update", a) for a in me.accounts],
    "may_read": lambda me, w: [me.may_read("account", f, a) for a in me.accounts for f in ("name", "code")],
    "may_set": lambda me, w: [me.may_set("account", f, "update", a) for a in me.accounts for f in ("name", "code")],
    "may_write": lambda me, w: me.may_write(),
    "meets": lambda me, w: [me.meets("account", {"tag": "tag NORTH"}, a) for a in me.accounts],
    "metrics": "see Metrics",
    "note": _NO_DATA,
    "now": lambda me, w: me.now.year,
    "objects": "see Objects",
    "on_behalf": "the frame of what plugins do after a commit",
    "origin": lambda me, w: me.origin,
    "parser": lambda me, w: me.parser("account").change({"name": "x"}),
    "parsers": lambda me, w: sorted(me.parsers),
    "permit": lambda me, w: me.permit(me.crm.commands.by_name["deal.move"](w.deal, to="proposal")),
    "policy": lambda me, w: [me.policy.may(key, "read") for key in sorted(me.schema.types)],
    "present_reader": lambda me, w: list(me.present_reader().records("account")),
    "readable_fields": lambda me, w: [f.key for f in me.readable_fields("account")],
    "reader": lambda me, w: list(me.reader.records("account")),
    "reader_as_of": lambda me, w: list(me.reader_as_of(LATER).records("account")),
    "placing": _NO_DATA,
    "reading": lambda me, w: list(me.reading(me.view).records("deal")),
    "reads": "the frame of lists, which are read as lists",
    "resolve": _NO_DATA,
    "reason": lambda me, w: me.reason,
    "records": lambda me, w: list(me.records("vessel")),
    "remembered": _NO_DATA,
    "require": lambda me, w: [me.require("account", "read", a) for a in me.accounts],
    "result": _NO_DATA,
    "schema": lambda me, w: [(f.key, f.type.name, f.labels) for t in me.schema.types.values() for f in t.custom],
    "started_at": lambda me, w: me.started_at,
    "state": lambda me, w: (me.state.zone, me.state.currency),
    "system_reader": lambda me, w: [list(me.system_reader.records(key)) for key in ("account", "deal", "lead", "user")],
    "taking_back": "a frame of undo, which is tried as a verb",
    "tenant": lambda me, w: me.tenant.key,
    "tenant_schema": lambda me, w: sorted(me.tenant_schema.segments),
    "today": lambda me, w: me.today.year,
    "touched": lambda me, w: me.touched(frozenset({"account"})),
    "type_key_of": lambda me, w: [me.type_key_of(v) for v in me.records("vessel")],
    "type_of": lambda me, w: [f.key for f in me.type_of("account").fields],
    "undo": lambda me, w: me.undo(w.changeset),
    "undoing": lambda me, w: me.undoing,
    "unique_keys": lambda me, w: [[f.key for f in fields] for fields in me.unique_keys("user")],
    "unit": "takes prepared statements, each of which binds the tenant that is given with it",
    "view": lambda me, w: me.view.reading,
    "went_back": "what a rollback does, which is tried as a refused verb",
    "who_can": lambda me, w: [me.who_can(a, "read") for a in me.accounts],
    "writer": lambda me, w: me.writer().stamp.actor_id,
    "writes": lambda me, w: type(me.writes()).__name__,
    "writes_made": lambda me, w: me.writes_made,
    "written": lambda me, w: sorted(me.written),
    "written_record": lambda me, w: me.written_record("account", w.account),
    "wrote": _NO_DATA,
}

COLLECTION_USES: dict[str, Use | str] = {
    "count": lambda me, w: [me.records(key).count() for key in sorted(me.schema.types)],
    "create": lambda me, w: me.contacts.create(name="New NORTH", account=w.account),
    "create_many": lambda me, w: me.deals.create_many([{"name": "NORTH"}, {"name": "NORTH", "account": w.parent}]),
    "delete": lambda me, w: me.accounts.delete(w.parent),
    "delete_many": lambda me, w: me.accounts.delete_many([w.account, w.gone]),
    "exists": lambda me, w: [me.accounts.exists(name=name) for name in ("account NORTH", "account SOUTH")],
    "get": lambda me, w: me.accounts.get(w.account),
    "get_many": lambda me, w: me.accounts.get_many([w.account, w.parent, w.gone]),
    "history": lambda me, w: me.accounts.history(w.account),
    "one": lambda me, w: me.accounts.one(name="account NORTH"),
    "order_by": lambda me, w: list(me.accounts.order_by("-name", "code")),
    "session": "see Session",
    "tag_history": lambda me, w: [(e.tag, e.what, e.by) for e in me.accounts.tag_history(w.account)],
    "totals": lambda me, w: me.deals.totals(by=F.account.name, sums=F.amount),
    "type": lambda me, w: me.accounts.type.key,
    "update": lambda me, w: me.accounts.update(w.account, headcount=12),
    "update_many": lambda me, w: me.accounts.update_many([(w.account, {"headcount": 13}), (w.gone, {"headcount": 1})]),
    "upsert": lambda me, w: me.accounts.upsert(name="account NORTH", headcount=14, by="name"),
    "upsert_many": lambda me, w: me.accounts.upsert_many([{"name": "spare NORTH", "headcount": 5}], by="name"),
    "where": lambda me, w: list(me.accounts.where('name.contains("account") or name.contains("parent")')),
}

QUERY_USES: dict[str, Use | str] = {
    "assign": lambda me, w: me.accounts.where(F.headcount >= 0).assign(w.clerk).counts,
    "blocks": lambda me, w: sorted((a for block in me.accounts.where().blocks(2) for a in block), key=lambda a: a.id),
    "condition": _NO_DATA,
    "count": lambda me, w: me.accounts.where(F.deals.count() > 0).count(),
    "delete": lambda me, w: me.activities.where(F.subject.contains("nothing")).delete(),
    "exists": lambda me, w: me.accounts.where(F.tags.has("tag NORTH")).exists(),
    "explain": lambda me, w: me.accounts.where(in_segment("segment NORTH"), F.deals.any(TRUE)).explain(w.account),
    "first": lambda me, w: me.deals.where(F.account.parent.name == "parent NORTH").first(),
    "limit": lambda me, w: list(me.accounts.where().limit(2)),
    "move": lambda me, w: me.deals.where(F.amount > Money(1, "EUR")).move(to="proposal").counts,
    "order": _NO_DATA,
    "order_by": lambda me, w: list(me.deals.where().order_by(-F.amount, F.account.name)),
    "session": "see Session",
    "share": lambda me, w: me.accounts.where(F.headcount >= 0).share("NORTH", user=w.clerk).counts,
    "size": _NO_DATA,
    "split": lambda me, w: me.deals.where().split({w.clerk: 100}).counts,
    "tag": lambda me, w: me.accounts.where(F.headcount >= 0).tag("tag NORTH").counts,
    "totals": lambda me, w: me.accounts.where(F.parent.not_null()).totals(by=(F.industry, F.code), sums=F.headcount),
    "type": lambda me, w: me.accounts.where().type.key,
    "unshare": lambda me, w: me.deals.where().unshare(user=w.clerk).counts,
    "untag": lambda me, w: me.accounts.where().untag("tag NORTH").counts,
    "update": lambda me, w: me.accounts.where(F.headcount >= 0).update(description="all of NORTH"),
    "where": lambda me, w: list(me.accounts.where(F.headcount > 0).where(in_segment("segment NORTH"))),
}

SEGMENTS_USES: dict[str, Use | str] = {
    "common": lambda me, w: list(me.segments.common("segment NORTH", "segment NORTH")),
    "delete": lambda me, w: me.segments.delete(me.segments.one(name="segment NORTH")),
    "difference": lambda me, w: list(me.segments.difference("segment NORTH", "segment NORTH")),
    "explain": lambda me, w: me.segments.explain("segment NORTH", w.account),
    "make_rfm": lambda me, w: [s.basis for s in me.segments.make_rfm(currency="EUR", prefix="NORTH ")],
    "make_tiers": lambda me, w: [me.segments.size(s) for s in me.segments.make_tiers(prefix="NORTH ")],
    "members": lambda me, w: list(me.segments.members("segment NORTH")),
    "overlap": lambda me, w: me.segments.overlap("segment NORTH", "segment NORTH"),
    "refresh": lambda me, w: (me.segments.watch("segment NORTH"), me.segments.refresh())[1],
    "rfm": lambda me, w: me.segments.rfm(currency="EUR"),
    "size": lambda me, w: me.segments.size("segment NORTH"),
    "sizes": lambda me, w: [s.size for s in me.segments.sizes("segment NORTH", [LATER])],
    "snapshot": lambda me, w: me.segments.size(me.segments.snapshot("list NORTH", of="segment NORTH")),
    "under_followed": lambda me, w: list(me.segments.under_followed(Money(1, "EUR"))),
    "watch": lambda me, w: me.segments.watch("segment NORTH").watched,
    "worklist": lambda me, w: me.segments.worklist(Money(1, "EUR"), on="account"),
}

DEALS_USES: dict[str, Use | str] = {
    "clocks": lambda me, w: [me.deals.clocks(deal).rotten for deal in me.deals],
    "intervals": lambda me, w: [i.kind for i in me.deals.intervals(w.deal)],
}

PIPELINES_USES: dict[str, Use | str] = {
    "versions": lambda me, w: [[s.name for s in v.stages] for p in me.pipelines for v in me.pipelines.versions(p)],
}

METRICS_USES: dict[str, Use | str] = {
    "attainment": lambda me, w: told(me.metrics().attainment({w.clerk: Money(9, "EUR")}, YEAR).team),
    "backtest": lambda me, w: told(me.metrics(currency="EUR").backtest(2)),
    "calibration": lambda me, w: told(me.metrics().calibration()),
    "categories": lambda me, w: told(me.metrics().categories()),
    "cohort_conversion": lambda me, w: told(me.metrics().cohort_conversion("new", YEAR, mature=1)),
    "cohort_curve": lambda me, w: me.metrics().cohort_curve("new", YEAR).n,
    "condition": _NO_DATA,
    "coverage": lambda me, w: told(me.metrics().coverage(Money(9, "EUR"), YEAR).coverage),
    "cycle": lambda me, w: told(me.metrics().cycle().median),
    "deals": lambda me, w: sorted(me.metrics().deals(), key=lambda fact: fact.id),
    "dwell": lambda me, w: [(s.name, s.median.n, s.median.censored) for s in me.metrics().dwell()],
    "faults": lambda me, w: list(me.metrics().faults()),
    "fewer": lambda me, w: me.metrics().seeing(("stage",)).fewer(me.metrics()),
    "journeys": lambda me, w: list(me.metrics().journeys()),
    "flow_conversion": lambda me, w: told(me.metrics().flow_conversion("new", YEAR)),
    "frame": lambda me, w: me.metrics().frame.scope,
    "funnel": lambda me, w: [told(me.metrics(members=listed).funnel()) for listed in (False, True)],
    "pipeline": lambda me, w: me.metrics().pipeline,
    "reader": "the session's",
    "response_time": lambda me, w: told(me.metrics().response_time().p50),
    "seeing": lambda me, w: me.metrics().seeing(("stage",), ("amount",)).frame.scope,
    "session": "see Session",
    "shows": lambda me, w: me.metrics().shows("stage"),
    "simulate": lambda me, w: told(me.metrics().simulate(seed=1).p50),
    "sole": lambda me, w: me.metrics().sole,
    "spells": lambda me, w: list(me.metrics().spells()),
    "stage_forecast": lambda me, w: told(me.metrics().stage_forecast()),
    "stages": lambda me, w: [stage.name for stage in me.metrics().stages],
    "start": _NO_DATA,
    "stock_ratio": lambda me, w: told(me.metrics().stock_ratio("new", "won")),
    "veiled": lambda me, w: me.metrics().seeing(("stage",)).veiled,
    "velocity": lambda me, w: told(me.metrics().velocity().velocity),
    "weighted": lambda me, w: [told(me.metrics(members=listed).weighted()) for listed in (False, True)],
    "where": _NO_DATA,
    "win_curve": lambda me, w: [told(me.metrics(members=listed).win_curve()) for listed in (False, True)],
    "win_rate": lambda me, w: [told(me.metrics(members=listed).win_rate()) for listed in (False, True)],
}

YEAR = Period.year(2024)


def told(result: Any) -> Any:
    """A result as plain data, but for the instant at which it was asked."""

    def timeless(node: Any) -> Any:
        if isinstance(node, Mapping):
            return {key: timeless(value) for key, value in node.items() if key != "as_of"}
        return [timeless(item) for item in node] if isinstance(node, list | tuple) else node

    return timeless(result.to_dict())


FIELDS_USES: dict[str, Use | str] = {
    "add": lambda me, w: me.fields.add("account", "size", Integer(), indexed=True),
    "change": lambda me, w: me.fields.change("account", "code", label="Code NORTH"),
    "list": lambda me, w: [(f.key, f.type.name, f.slot) for f in me.fields.list("account")],
    "remove": lambda me, w: me.fields.remove("account", "grade"),
    "session": "see Session",
}

OBJECTS_USES: dict[str, Use | str] = {
    "add": lambda me, w: me.objects.add("crate", plural="crates", label="Crate NORTH"),
    "session": "see Session",
}

TENANTS_USES: dict[str, Use | str] = {
    "admit": lambda me, w: w.crm.tenants.admit(w.tenant, "new@both.example", "New NORTH"),
    "create": "the registry is the operator's",
    "crm": "see CRM",
    "exists": "the registry is the operator's",
    "list": "the registry is the operator's",
    "open": "see CRM.session",
}

COMMAND_USES: dict[str, Use | str] = {
    "*.assign": lambda me, w: me.accounts.assign(w.spare, w.clerk),
    "*.share": lambda me, w: me.accounts.share(w.account, "NORTH", user=w.clerk, level="edit"),
    "*.tag": lambda me, w: me.accounts.tag(w.parent, "tag NORTH"),
    "*.unshare": lambda me, w: me.deals.unshare(w.deal, user=w.clerk),
    "*.untag": lambda me, w: me.accounts.untag(w.account, "tag NORTH"),
    "account.advance": lambda me, w: me.accounts.advance(w.account, to="following"),
    "activity.complete": lambda me, w: me.activities.complete(w.task),
    "changeset.undo": lambda me, w: me.undo(w.changeset),
    "custom_field.add": "see Fields.add",
    "custom_field.change": "see Fields.change",
    "custom_field.remove": "see Fields.remove",
    "custom_object.add": "see Objects.add",
    "deal.split": lambda me, w: me.deals.split(w.deal, {w.clerk: 100}),
    "deal.move": lambda me, w: me.deals.move(w.deal, to="won", on=date(2024, 5, 2)),
    "segment.make_rfm": "see Segments.make_rfm",
    "segment.make_tiers": "see Segments.make_tiers",
    "segment.refresh": "see Segments.refresh",
    "segment.snapshot": "see Segments.snapshot",
    "segment.watch": "see Segments.watch",
}

USES: dict[str, dict[str, Use | str]] = {
    "CRM": CRM_USES,
    "Session": SESSION_USES,
    "Collection": COLLECTION_USES,
    "Query": QUERY_USES,
    "Segments": SEGMENTS_USES,
    "Deals": DEALS_USES,
    "Pipelines": PIPELINES_USES,
    "Metrics": METRICS_USES,
    "Fields": FIELDS_USES,
    "Objects": OBJECTS_USES,
    "Tenants": TENANTS_USES,
    "command": COMMAND_USES,
}

TRUSTED = frozenset(
    {
        "Session.base_view",
        "Session.changesets",
        "Session.judge",
        "Session.present_reader",
        "Session.reading",
        "Session.system_reader",
        "Session.writer",
        "CRM.tenant_schema",
        "CRM.seal",
        "CRM.undelivered",
        "CRM.verify",
        "Session.tenant_schema",
        "Session.schema",
        "Tenants.admit",
    }
)
"""Names for crmkit's own packages: they keep to the tenant, and leave rights to whoever uses them."""


def public_names(crm: CRM, me: Session) -> dict[str, set[str]]:
    """What there is, found by looking."""
    things = {
        "CRM": crm,
        "Session": me,
        "Collection": me.accounts,
        "Query": me.deals.where(),
        "Segments": me.segments,
        "Deals": me.deals,
        "Pipelines": me.pipelines,
        "Metrics": me.metrics(),
        "Fields": me.fields,
        "Objects": me.objects,
        "Tenants": crm.tenants,
    }
    kinds = (CRM, Session, Collection, Query, Segments, Deals, Pipelines, Metrics, Fields, Objects, Tenants)
    for name, kind in zip(things, kinds, strict=True):
        assert isinstance(things[name], kind)
    found = {name: {n for n in dir(thing) if not n.startswith("_")} for name, thing in things.items()}
    found["Segments"] -= found["Collection"] - {"delete"}
    found["Deals"] -= found["Collection"]
    found["Pipelines"] -= found["Collection"]
    return {**found, "command": set(crm.commands.by_name)}


def uses() -> Iterator[tuple[str, Use]]:
    """The uses that could return data, by name; those that delete or undo come last."""
    found = [(f"{kind}.{name}", use) for kind, table in USES.items() for name, use in table.items()]
    open_ones = [(name, use) for name, use in found if not isinstance(use, str)]
    yield from sorted(open_ones, key=lambda named: any(word in named[0] for word in ("delete", "remove", "undo")))


# --------------------------------------------------------------------------------------------------------- what is seen


def in_session(caller: Caller, look: Callable[[Any], Any], **options: Any) -> Any:
    """Through a session of its own."""
    with caller.crm.session(caller.who, tenant=caller.tenant, **options) as me:
        return shown(look(me), frozenset())


def seen(used: Use, caller: Caller, known: Iterable[Any], **options: Any) -> Any:
    """What a use returns, or its error, as plain data; committed like any other work."""
    known = frozenset(known)
    try:
        with caller.crm.session(caller.who, tenant=caller.tenant, **options) as me:
            return shown(used(me, caller), known)
    except CrmkitError as error:
        return type(error).__name__, [shown(problem, known) for problem in error.problems]


def shown(value: Any, known: frozenset[Any]) -> Any:
    """A value as plain data; ids nobody knew before and instants of today are only said to be new."""
    match value:
        case UUID():
            return str(value) if not known or value in known else "a new id"
        case datetime():
            return value.isoformat() if value < LATER else "today"
        case None | bool() | int() | str() | Decimal() | date() | Money():
            return _without_ids(str(value), known)
        case Enum():
            return str(value)
        case Record():
            return {"": type(value).__name__, **{key: shown(_held(value, key), known) for key in _keys(value)}}
        case Mapping():
            return {str(shown(key, known)): shown(item, known) for key, item in value.items()}
        case list() | tuple() | Iterator():
            return [shown(item, known) for item in value]
        case set() | frozenset():
            return sorted(str(shown(item, known)) for item in value)
    if attrs.has(type(value)):
        return {a.name: shown(getattr(value, a.name), known) for a in attrs.fields(type(value))}
    return type(value).__name__


def _without_ids(text: str, known: frozenset[Any]) -> str:
    for word in text.replace("'", " ").split():
        try:
            found = UUID(word)
        except ValueError:
            continue
        if known and found not in known:
            text = text.replace(word, "a new id")
    return text


def _keys(record: Record) -> list[str]:
    declared = [a.name for a in attrs.fields(type(record)) if a.name != "custom"]
    return [*declared, *record.custom]


def _held(record: Record, key: str) -> Any:
    return record.custom[key] if key in record.custom else getattr(record, key, None)
