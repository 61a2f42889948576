"""A query: conditions, order and limit on the records of one type; nothing is sent until it is asked for its
records.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

import attrs

from crmkit.errors import CrmkitError, Denied, InvalidQuery
from crmkit.kernel.collections.reading import Reading
from crmkit.kernel.definitions.checks import stored
from crmkit.kernel.session.access import StoredWorld
from crmkit.kernel.session.refusals import missing
from crmkit.kernel.session.unit_of_work import Work
from crmkit.kernel.writes.batching import blocks
from crmkit.kernel.writes.pipeline import WritePath
from crmkit.kernel.writes.results import BulkResult, Tally
from crmkit.permissions import Actor
from crmkit.query import Expr, Order, Path
from crmkit.query.bound import in_memory
from crmkit.query.explain import Explanation, explain
from crmkit.query.lift import Lifted, lift
from crmkit.query.nodes import TRUE, all_of
from crmkit.query.text import parse
from crmkit.schema import Record, RecordType
from crmkit.schema.schema import suggestion
from crmkit.schema.types import Reference
from crmkit.store.read.groups import Group
from crmkit.store.read.reader import BLOCK, Sorting
from crmkit.values.text import shown

__all__ = ["Query"]

T = TypeVar("T", bound=Record)

_LISTED = 1_000
"""Records named in one condition."""


@attrs.frozen
class Query(Generic[T]):
    """Records of one type that meet conditions, as the session's actor may see them. Immutable: verbs give new queries.

    It is checked against the schema when it is built, so a misspelt field fails here and not at the first record.
    """

    session: Work
    type: RecordType
    condition: Expr = TRUE
    order: Sorting = ()
    size: int | None = None
    _known: tuple[Actor, Lifted] | None = attrs.field(default=None, repr=False, eq=False)
    """The condition as it was lifted for an actor when it was checked."""

    def where(self, *conditions: Expr | str, **equal: Any) -> "Query[T]":
        """Narrowed by more conditions. Raises InvalidQuery."""
        exprs = [parse(c) if isinstance(c, str) else c for c in conditions]
        exprs += [Path((key,)) == value for key, value in equal.items()]
        condition = all_of((self.condition, *exprs))
        lifted = lift(condition, self.session.actor.ids)
        self.session.reader.check(self.type.key, lifted)
        return attrs.evolve(self, condition=condition, known=(self.session.actor, lifted))

    def order_by(self, *keys: Order | Path | str) -> "Query[T]":
        """Sorted by fields: ``F.name``, ``-F.amount``, or ``"name"`` and ``"-amount"``. Raises InvalidQuery.

        Records without a value count as the least. Ties are broken by id, so the order is always total.
        """
        ordered = attrs.evolve(self, order=tuple(map(_sort_key, keys)))
        for names, _ in ordered.order:
            if not self.session.reader.sortable(self.type.key, names):
                raise InvalidQuery(f"{'.'.join(names)} has no order", code="not_sortable", field=names[-1])
        return ordered

    def limit(self, size: int) -> "Query[T]":
        """At most this many in total. Raises InvalidQuery (``bad_limit``)."""
        if type(size) is not int or size < 0:
            raise InvalidQuery(f"{shown(size)} is not a number of records", code="bad_limit")
        return attrs.evolve(self, size=size)

    def _lifted(self) -> Lifted:
        # The session may have changed who is in the actor's team since.
        actor = self.session.actor
        return self._known[1] if self._known and self._known[0] is actor else lift(self.condition, actor.ids)

    # -------------------------------------------------------------------------------------------------------- answers

    def __iter__(self) -> Iterator[T]:
        found = self.session.reader.records(self.type.key, self._lifted(), self.order, self.size)
        return self.session.reads(Reading(found, lambda record: (record.id,), self._by_ids, _LISTED, single=True))

    def _by_ids(self, ids: list[UUID]) -> list[T]:
        """The records of these ids that are still there, in this order."""
        found = {record.id: record for record in self.session.reader.by_ids(self.type.key, ids)}
        return [found[i] for i in ids if i in found]

    def first(self) -> T | None:
        """The first record, or None."""
        return next(iter(self.limit(1)), None)

    def count(self) -> int:
        """How many there are (the limit left aside)."""
        return self.session.reader.count(self.type.key, self._lifted())

    def exists(self) -> bool:
        """Whether there is any."""
        return self.first() is not None

    def blocks(self, size: int = BLOCK) -> Iterator[list[T]]:
        """All records in no order, in lists, in constant memory: for exports. Raises InvalidQuery (``bad_limit``)."""
        if type(size) is not int or not 1 <= size < 2**31:
            raise InvalidQuery(f"{shown(size)} is not a number of records", code="bad_limit")
        found = self.session.reader.stream(self.type.key, self._lifted(), size)

        def again(ids: list[UUID]) -> list[list[T]]:
            block = self._by_ids(ids)
            return [block] if block else []

        return self.session.reads(Reading(found, lambda block: [record.id for record in block], again, size))

    def totals(self, by: Any = (), sums: Any = ()) -> list[Group]:
        """Counts, and sums of number or money fields, grouped by fields (``by=F.stage, sums=F.amount``).

        Each group has ``key`` and ``sums`` in the order asked for; money is summed for each currency apart. Without
        ``by`` it is one group of all records, also where there are none. Raises InvalidQuery (``not_summable``,
        ``not_a_field``).
        """
        return self.session.reader.summary(self.type.key, _paths(by), _paths(sums), self._lifted())

    def explain(self, record: T | UUID | str) -> Explanation:
        """Why the record is in or out: which clauses held. Raises NotFound."""
        session = self.session
        found: Any = session.reader.get(self.type.key, Reference("*").parse(record))
        if found is None:
            raise missing(self.type)
        # As it is: what the actor may not read of it, the masks in the condition leave out.
        whole: Any = session.system_reader.get(self.type.key, found.id)
        binder, lifted = session.view.binder(), self._lifted()
        bound = binder.bind(lifted.shape, self.type.key)
        world = StoredWorld(session.system_reader)
        context = in_memory(bound, world, binder.values(lifted.values), session.view.moment)
        return explain(bound, self.condition, whole, context, session.view.segments)

    # -------------------------------------------------------------------------------------------------------- writing

    def update(
        self, *, stop: bool = False, dry_run: bool = False, progress: Callable[[int], None] | None = None, **values: Any
    ) -> BulkResult:
        """Give the same values to all records that match; see ``Collection.create_many`` for outcomes, which have the
        records' ids. Raises InvalidRecord for values that no record could take.
        """
        session, key = self.session, self.type.key
        with session.bulk(f"{key}.update_where", stop=stop, dry_run=dry_run) as tally:
            given: Any = stored(self.type, values)
            session.parser(key).change(given)
            if self.size is not None or not WritePath(session).update_all(key, self._lifted(), given, tally):
                targets = [record.id for record in self]
                rows = ((i, target, given) for i, target in enumerate(targets))
                WritePath(session).update(key, rows, tally, progress=progress)
            elif progress is not None:
                progress(len(tally.rows))
        return session.result(tally, dry_run)

    if TYPE_CHECKING:

        def tag(
            self,
            tag: str,
            expires_at: datetime | None = None,
            *,
            stop: bool = False,
            dry_run: bool = False,
            progress: Callable[[int], None] | None = None,
        ) -> BulkResult: ...
        def untag(
            self,
            tag: str,
            *,
            stop: bool = False,
            dry_run: bool = False,
            progress: Callable[[int], None] | None = None,
        ) -> BulkResult: ...

    else:

        def __getattr__(self, verb):
            if verb.startswith("_"):
                raise AttributeError(verb)
            verbs = self.session.crm.commands.verbs(self.type.key)
            if verb not in verbs:
                raise AttributeError(f"a query of {self.type.plural} has no verb {verb!r}; {suggestion(verb, verbs)}")
            return partial(self._do, verbs[verb])

    def __dir__(self) -> list[str]:
        crm: Any = self.session.crm
        return sorted({*super().__dir__(), *crm.commands.verbs(self.type.key)})

    def _do(
        self,
        command: Any,
        /,
        *arguments: Any,
        stop: bool = False,
        dry_run: bool = False,
        progress: Callable[[int], None] | None = None,
        **named: Any,
    ) -> BulkResult:
        """A command done to all records that match, in one changeset; see ``Collection.create_many`` for outcomes.

        They are those of the records: updated, or unchanged where there was nothing to do.
        """
        session, key = self.session, self.type.key
        if command.name.startswith("*."):
            named["type_key"] = key
        whole = command(self, *arguments, **named)
        verb = command.name.partition(".")[2]
        with session.bulk(f"{key}.{verb}_where", stop=stop, dry_run=dry_run) as tally:
            try:
                session.permit(whole)
            except Denied as error:
                for row, record in enumerate(self):
                    tally.refuse(row, error, record.id)
            else:
                if not whole.run_many(session, self._chosen(), tally):
                    self._one_by_one(command, arguments, named, tally)
            if progress is not None:
                progress(len(tally.rows))
        return session.result(tally, dry_run)

    def _chosen(self) -> list[Lifted]:
        """The condition; with a limit, conditions that name the records."""
        if self.size is None:
            return [self._lifted()]
        ids = (record.id for record in self)
        return [lift(Path(("id",)).is_in(block), self.session.actor.ids) for block in blocks(ids, _LISTED)]

    def _one_by_one(self, command: Any, arguments: tuple[Any, ...], named: dict[str, Any], tally: Tally) -> None:
        session = self.session
        for row, target in enumerate([record.id for record in self]):
            before = session.writes_made
            try:
                session.do(command(target, *arguments, **named))
            except CrmkitError as error:
                tally.refuse(row, error, target)
            else:
                tally.did(row, "unchanged" if session.writes_made == before else "updated", target)

    def delete(
        self, *, stop: bool = False, dry_run: bool = False, progress: Callable[[int], None] | None = None
    ) -> BulkResult:
        """Delete all records that match; see ``Collection.create_many`` for outcomes, which have the records' ids."""
        session, key = self.session, self.type.key
        with session.bulk(f"{key}.delete_where", stop=stop, dry_run=dry_run) as tally:
            targets = [record.id for record in self]
            WritePath(session).delete(key, enumerate(targets), tally, progress)
        return session.result(tally, dry_run)


def _sort_key(key: Order | Path | str) -> tuple[tuple[str, ...], bool]:
    if isinstance(key, str):
        return tuple(key.removeprefix("-").split(".")), key.startswith("-")
    if isinstance(key, Path):
        return key.names, False
    if isinstance(key, Order):
        return key.path.names, key.descending
    raise InvalidQuery(f"{shown(key)} is not a sort key", code="bad_sort_key", hint="F.name, -F.amount or '-amount'")


def _paths(given: Any) -> tuple[tuple[str, ...], ...]:
    many = given if isinstance(given, tuple | list) else (given,)
    paths = []
    for path in many:
        if not isinstance(path, Path | str):
            raise InvalidQuery(f"{shown(path)} is not a field", code="not_a_field")
        paths.append(path.names if isinstance(path, Path) else tuple(path.split(".")))
    return tuple(paths)
