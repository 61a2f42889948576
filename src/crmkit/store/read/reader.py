"""Reading records in a view: pages by key, single records, counts, groups. Every method is one statement a page."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

import attrs
from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.sql import expression

from crmkit.errors import InvalidQuery
from crmkit.query.lift import EVERYTHING, Lifted
from crmkit.schema import Field, Kind
from crmkit.schema.record_type import SYSTEM_FIELDS
from crmkit.store.connection.database import Database, Unit
from crmkit.store.read.groups import Group, merged, summary_plan
from crmkit.store.read.rows import Cell, RowLayout, unique_text
from crmkit.store.sql.json_parts import bare, json_unless
from crmkit.store.sql.lists import LISTED, among, list_width, listed
from crmkit.store.sql.plans import Draft, Plan, Shelf, View
from crmkit.store.sql.sources import tenant_param

__all__ = ["BLOCK", "Reader", "Sorting"]

Sorting: TypeAlias = tuple[tuple[tuple[str, ...], bool], ...]
"""Sort keys: path and whether descending. Records without a value are the least: first ascending, last descending."""

BLOCK = 100
"""So many records are made at once where nobody says how many. Those of a small block are gone again before Python's
garbage collector looks at them: contacts streamed take 10 µs each, and 14 in blocks of 2,000."""
_FETCHED = 1_000
"""At least so many rows, roughly, come from the database in one answer."""
_PAGE = 500


@attrs.frozen
class Reader:
    """Reads in one view through one unit of work."""

    database: Database
    shelf: Shelf
    unit: Unit
    view: View

    def records(
        self, type_key: str, where: Lifted = EVERYTHING, order: Sorting = (), limit: int | None = None
    ) -> Iterator[Any]:
        """Records that meet the condition and may be read, in order, fetched a page at a time.

        Pages continue after the last key, so the thousandth costs what the first does.
        """
        left = limit
        after: tuple[Any, ...] | None = None
        phase = 0
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            rows, plan, phases = self._page(type_key, where, order, after, phase, size)
            layout: RowLayout = plan.extra
            for at in range(0, len(rows), BLOCK):
                yield from layout.read(rows[at : at + BLOCK])
            if left is not None:
                left -= len(rows)
            if len(rows) == size:
                after, phase = rows[-1][len(layout.cells) :], 0
            elif phase + 1 < phases:
                phase += 1
            else:
                return

    def _page(
        self,
        type_key: str,
        where: Lifted,
        order: Sorting,
        after: tuple[Any, ...] | None,
        phase: int,
        size: int,
    ) -> tuple[list[tuple[Any, ...]], Plan, int]:
        nulls = None if after is None else tuple(value is None for value in after)
        phases = _phases(order, nulls)
        plan = self.shelf.get(
            self.view.key("page", type_key, where.shape, order, nulls, phase),
            lambda: self._page_plan(type_key, where, order, nulls, phase),
        )
        binds = self.view.parameters(plan, where.values)
        binds["size"] = size
        for i, value in enumerate(after or ()):
            binds[f"after{i}"] = value
        return self.unit.read(plan.statement, binds), plan, phases

    def _page_plan(
        self, type_key: str, where: Lifted, order: Sorting, nulls: tuple[bool, ...] | None, phase: int
    ) -> Plan:
        draft = Draft(self.view, type_key)
        conditions = draft.conditions(where)
        keys = [_sort_key(draft, names, descending) for names, descending in order]
        identity = draft.source.part(SYSTEM_FIELDS["id"], 0)
        keys.append((identity, order[0][1] if order else False))
        if nulls is not None:
            conditions.append(_after(keys, nulls, phase))
        statement = (
            select(*self._selected(draft, self.view.layout(type_key, self.shelf)), *(column for column, _ in keys))
            .where(*conditions)
            .order_by(*(_ordered(column, descending, column is identity) for column, descending in keys))
            .limit(expression.bindparam("size"))
        )
        return draft.finish(self.database, statement, self.view.layout(type_key, self.shelf))

    def _selected(self, draft: Draft, layout: RowLayout) -> list[ColumnElement[Any]]:
        return [self._cell(draft, layout, cell) for cell in layout.cells]

    def _cell(self, draft: Draft, layout: RowLayout, cell: Cell) -> ColumnElement[Any]:
        if cell.field is None:
            return bare(self._custom(draft, layout), Kind.JSON)
        source, form = draft.source, cell.form
        column = source.part(cell.field, cell.part) if form is None else source.former_part(form, cell.part)
        try:
            mask = draft.binder.mask(self.view.guard, draft.type_key, cell.field)
        except KeyError:
            return expression.null()
        shown = column if mask is None else case((draft.compile(mask), column))
        # What lies in a slot is a text or a number, whatever the field is.
        return shown if cell.field.custom else bare(shown, cell.field.type.parts[cell.part].kind)

    def _custom(self, draft: Draft, layout: RowLayout) -> ColumnElement[Any]:
        """The JSON column without what the actor may not read of the record."""
        column: ColumnElement[Any] = draft.source.selectable.c["custom"]
        for field in layout.lying:
            try:
                mask = draft.binder.mask(self.view.guard, draft.type_key, field)
            except KeyError:
                readable: ColumnElement[bool] = expression.false()
            else:
                if mask is None:
                    continue
                readable = draft.compile(mask)
            for key in field.part_columns():
                column = json_unless(column, key, readable)
        return column

    def get(self, type_key: str, record_id: UUID) -> Any | None:
        """The record of that id if there is one and it may be read."""
        found = self.by_ids(type_key, [record_id])
        return found[0] if found else None

    def by_ids(self, type_key: str, ids: Sequence[UUID]) -> list[Any]:
        """The readable records among these ids, in no order."""
        return list(self.referring(type_key, "id", ids))

    def referring(self, type_key: str, field: str, ids: Sequence[UUID]) -> Iterator[Any]:
        """The readable records whose reference field (or id) holds one of these ids."""
        for plan, rows in self._holding(type_key, field, ids, records=True):
            yield from plan.extra[1].read(rows)

    def referrers(self, type_key: str, field: str, ids: Sequence[UUID]) -> Iterator[UUID]:
        """The ids of the readable records whose reference field holds one of these ids."""
        for _, rows in self._holding(type_key, field, ids, records=False):
            yield from (self.view.codec.id_out(row[0]) for row in rows)

    def existing(self, type_key: str, ids: Sequence[UUID]) -> list[UUID]:
        """Which of these ids are readable records of the type."""
        return list(self.referrers(type_key, "id", ids))

    def _holding(
        self, type_key: str, field: str, ids: Sequence[UUID], *, records: bool
    ) -> Iterator[tuple[Plan, list[tuple[Any, ...]]]]:
        """Rows of a list of ids at a time."""
        for at in range(0, len(ids), LISTED):
            block = ids[at : at + LISTED]
            width = list_width(self.view.codec, len(block))
            plan = self.shelf.get(
                self.view.key("holding", type_key, field, width, records),
                lambda width=width: self._holding_plan(type_key, field, width, records),  # type: ignore[misc]
            )
            encode = plan.extra[0]
            binds = self.view.parameters(plan, ()) | listed("listed", list(map(encode, block)), width)
            yield plan, self.unit.read(plan.statement, binds)

    def _holding_plan(self, type_key: str, field: str, width: int, records: bool) -> Plan:
        draft = Draft(self.view, type_key)
        conditions = draft.conditions(EVERYTHING)
        column = draft.binder.column((field,), type_key)
        conditions.append(
            column.where(draft.context, draft.source, lambda place, f: among(place.part(f, 0), "listed", width))
        )
        layout = self.view.layout(type_key, self.shelf)
        cells = self._selected(draft, layout) if records else [draft.source.part(SYSTEM_FIELDS["id"], 0)]
        encode = draft.source.encoder(column.field, 0)
        return draft.finish(self.database, select(*cells).where(*conditions), (encode, layout))

    def ended(self, type_key: str, ids: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
        """Of records that have history: the last version there, and until when it held (microseconds since 1970)."""
        record_type, codec = self.view.schema.type(type_key), self.view.codec
        history = self.view.tables.history_of(record_type)
        found: dict[UUID, tuple[int, int]] = {}
        for at in range(0, len(ids), LISTED):
            block = ids[at : at + LISTED]
            width = list_width(codec, len(block))

            def make(width: int = width) -> Any:
                last = select(history.c["id"], func.max(history.c["version"]), func.max(history.c["superseded_at"]))
                last = last.where(history.c["tenant_id"] == tenant_param(), among(history.c["id"], "id", width))
                return self.database.prepare(last.group_by(history.c["id"]))

            statement = self.shelf.get(("ended", history.name, width), make)
            binds = {"tenant": self.view.tenant_id} | listed("id", list(map(codec.id_in, block)), width)
            for row in self.unit.read(statement, binds):
                found[codec.id_out(row[0])] = row[1], row[2]
        return found

    def holders(
        self, type_key: str, fields: tuple[Field, ...], keys: Sequence[tuple[Any, ...]]
    ) -> dict[tuple[str, ...], UUID]:
        """Who holds these values of a unique key: the unique texts of the values, to the id of the record."""
        holders: dict[tuple[str, ...], UUID] = {}
        id_out = self.view.codec.id_out
        for at in range(0, len(keys), LISTED):
            block = keys[at : at + LISTED]
            width = list_width(self.view.codec, len(block))
            plan = self.shelf.get(
                self.view.key("holders", type_key, tuple(f.key for f in fields), width),
                lambda width=width: self._holders_plan(type_key, fields, width),  # type: ignore[misc]
            )
            binds = self.view.parameters(plan, ())
            for i, (_, encode) in enumerate(plan.extra):
                binds |= listed(f"key{i}_", [encode(values[i]) for values in block], width)
            for row in self.unit.read(plan.statement, binds):
                key = tuple(
                    id_out(raw).hex if is_id else str(raw) for raw, (is_id, _) in zip(row[1:], plan.extra, strict=True)
                )
                holders[key] = id_out(row[0])
        return holders

    def _holders_plan(self, type_key: str, fields: tuple[Field, ...], width: int) -> Plan:
        draft = Draft(self.view, type_key)
        columns: list[ColumnElement[Any]] = []
        extra: list[tuple[bool, Callable[[Any], Any]]] = []
        for f in fields:
            if f.unique_slot is not None:
                columns.append(draft.source.selectable.c[f.unique_slot])
                extra.append((False, partial(unique_text, f)))
            else:
                columns.append(draft.source.part(f, f.type.compare))
                is_id = f.type.parts[f.type.compare].kind is Kind.ID
                extra.append((is_id, self.view.codec.id_in if is_id else f.type.key))
        wanted = [among(column, f"key{i}_", width) for i, column in enumerate(columns)]
        statement = select(draft.source.part(SYSTEM_FIELDS["id"], 0), *columns).where(*draft.source.conditions, *wanted)
        return draft.finish(self.database, statement, tuple(extra))

    def check(self, type_key: str, where: Lifted) -> None:
        """Raises InvalidQuery or InvalidValue if the condition could not run; sends nothing."""

        def make() -> Plan:
            draft = Draft(self.view, type_key)
            draft.compile(draft.binder.bind(where.shape, type_key))
            return draft.unprepared()

        self.view.parameters(self.shelf.get(self.view.key("check", type_key, where.shape), make), where.values)

    def sortable(self, type_key: str, names: tuple[str, ...]) -> bool:
        """Whether the field a path leads to has an order. Raises InvalidQuery."""

        def make() -> tuple[bool]:
            return (self.view.binder().column(names, type_key).field.type.sortable,)

        return self.shelf.get(self.view.key("sortable", type_key, names), make)[0]

    def ids(self, type_key: str, where: Lifted, *actions: str) -> list[UUID]:
        """The ids of the readable records that meet the condition and on which the actions are allowed, in order."""

        def make() -> Plan:
            draft = Draft(self.view, type_key)
            conditions = draft.conditions(where, *actions)
            identity = draft.source.part(SYSTEM_FIELDS["id"], 0)
            return draft.finish(self.database, select(identity).where(*conditions).order_by(identity))

        plan = self.shelf.get(self.view.key("ids", type_key, where.shape, actions), make)
        rows = self.unit.read(plan.statement, self.view.parameters(plan, where.values))
        return [self.view.codec.id_out(row[0]) for row in rows]

    def count(self, type_key: str, where: Lifted = EVERYTHING) -> int:
        """How many readable records meet the condition."""

        def make() -> Plan:
            draft = Draft(self.view, type_key)
            conditions = draft.conditions(where)
            statement = select(func.count()).select_from(draft.source.selectable).where(*conditions)
            return draft.finish(self.database, statement)

        plan = self.shelf.get(self.view.key("count", type_key, where.shape), make)
        return int(self.unit.read(plan.statement, self.view.parameters(plan, where.values))[0][0])

    def summary(
        self, type_key: str, by: Sequence[tuple[str, ...]], sums: Sequence[tuple[str, ...]], where: Lifted = EVERYTHING
    ) -> list[Group]:
        """Readable records grouped by fields, with counts and sums. Raises InvalidQuery for what cannot be summed."""
        plan = self.shelf.get(
            self.view.key("summary", type_key, where.shape, tuple(by), tuple(sums)),
            lambda: summary_plan(self.database, self.view, type_key, tuple(by), tuple(sums), where),
        )
        rows = self.unit.read(plan.statement, self.view.parameters(plan, where.values))
        groups, summed = plan.extra
        return merged(rows, groups, summed, self.view)

    def stream(
        self, type_key: str, where: Lifted = EVERYTHING, block: int = BLOCK, *, in_order: bool = False
    ) -> Iterator[list[Any]]:
        """Blocks of readable records, in no order unless in that of their ids, from one cursor, in constant memory."""
        plan, layout = self._whole(type_key, where, in_order)
        fetched = block * max(1, _FETCHED // block)
        for rows in self.unit.stream(plan.statement, self.view.parameters(plan, where.values), fetched):
            for at in range(0, len(rows), block):
                yield layout.read(rows[at : at + block])

    def all(self, type_key: str, where: Lifted = EVERYTHING) -> list[Any]:
        """All readable records at once, in no order: of types that have few."""
        plan, layout = self._whole(type_key, where)
        return layout.read(self.unit.read(plan.statement, self.view.parameters(plan, where.values)))

    def _whole(self, type_key: str, where: Lifted, in_order: bool = False) -> tuple[Plan, RowLayout]:
        layout = self.view.layout(type_key, self.shelf)

        def make() -> Plan:
            draft = Draft(self.view, type_key)
            conditions = draft.conditions(where)
            found = select(*self._selected(draft, layout)).where(*conditions)
            identity = draft.source.part(SYSTEM_FIELDS["id"], 0)
            return draft.finish(self.database, found.order_by(identity) if in_order else found)

        return self.shelf.get(self.view.key("stream", type_key, in_order, where.shape), make), layout


def _sort_key(draft: Draft, names: tuple[str, ...], descending: bool) -> tuple[ColumnElement[Any], bool]:
    column = draft.binder.column(names, draft.type_key)
    if not column.field.type.sortable:
        raise InvalidQuery(
            f"{column.field.key} is a {column.field.type.name} and has no order",
            code="not_sortable",
            field=column.field.key,
        )
    return column.scalar(draft.context, draft.source)[0], descending


def _ordered(column: ColumnElement[Any], descending: bool, never_null: bool) -> ColumnElement[Any]:
    ordered = column.desc() if descending else column.asc()
    if never_null:
        return ordered
    return ordered.nulls_last() if descending else ordered.nulls_first()


def _phases(order: Sorting, nulls: tuple[bool, ...] | None) -> int:
    """In how many statements the rest is read: those without a leading value apart, so that each is an index range."""
    if nulls is None or not order:
        return 1
    descending = order[0][1]
    return 2 if nulls[0] is not descending else 1


def _after(keys: Sequence[tuple[ColumnElement[Any], bool]], nulls: tuple[bool, ...], phase: int) -> ColumnElement[bool]:
    """The rows after the key: ``after0`` ... hold its values, ``nulls`` says which of them are NULL."""
    first, descending = keys[0]
    if phase == 1:
        return first.is_(None) if descending else first.is_not(None)
    alternatives = []
    for i in range(len(keys)):
        same = [_same(keys[j][0], j, nulls[j]) for j in range(i)]
        beyond = _beyond(*keys[i], i, nulls[i], lead=i == 0)
        if beyond is not None:
            alternatives.append(and_(*same, beyond))
    if nulls[0]:
        return or_(*alternatives)
    lead = first <= _param(0) if descending else first >= _param(0)
    # Implied by the alternatives; said alone, it lets the database start at the right place of the index.
    return and_(lead, or_(*alternatives)) if len(keys) > 1 else or_(*alternatives)


def _param(i: int) -> ColumnElement[Any]:
    return expression.bindparam(f"after{i}")


def _same(column: ColumnElement[Any], i: int, null: bool) -> ColumnElement[bool]:
    return column.is_(None) if null else column == _param(i)


def _beyond(column: ColumnElement[Any], descending: bool, i: int, null: bool, lead: bool) -> ColumnElement[bool] | None:
    """Strictly after the i-th value; the leading key's other NULL half is a phase of its own."""
    if null:
        return None if descending or lead else column.is_not(None)
    if not descending:
        return column > _param(i)
    return column < _param(i) if lead else or_(column < _param(i), column.is_(None))
