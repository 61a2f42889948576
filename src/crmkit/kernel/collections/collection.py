"""The records of one type in a session: the verbs, and queries."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args
from uuid import UUID

import attrs

from crmkit.errors import InvalidQuery, InvalidRecord, NotFound, UsageError
from crmkit.features.tags.history import TagEvent
from crmkit.kernel.collections.query import Query
from crmkit.kernel.collections.upserting import Upserts
from crmkit.kernel.session.refusals import missing
from crmkit.kernel.session.unit_of_work import Work
from crmkit.kernel.writes.batching import BLOCK, blocks
from crmkit.kernel.writes.pipeline import WritePath
from crmkit.kernel.writes.results import BulkResult, Raising, Tally
from crmkit.query import Expr
from crmkit.records import Account, Activity
from crmkit.schema import Record, RecordType
from crmkit.schema.parsing import Form
from crmkit.schema.schema import suggestion
from crmkit.schema.types import Reference
from crmkit.store.read.groups import Group
from crmkit.store.read.history import Version
from crmkit.values.text import shown

__all__ = ["Accounts", "Activities", "Collection"]

T = TypeVar("T", bound=Record)


@attrs.frozen
class Collection(Generic[T]):
    """The records of one type, as the session's actor may see and change them.

    Values come as keywords, as a mapping, or as a draft record. Where a record is wanted, its id is taken as well; a
    record that changed since you read it is refused with Conflict, an id means the record as it is now. Every command
    registered for the type is a verb here.
    """

    session: Work
    type: RecordType

    # -------------------------------------------------------------------------------------------------------- reading

    def get(self, record_id: UUID | str | T) -> T:
        """The record of that id. Raises NotFound if there is none, or none this actor may see."""
        wanted = Reference("*").parse(record_id)
        found = self.session.reader.get(self.type.key, wanted)
        if found is None:
            raise NotFound(f"there is no {self.type.label.lower()} {wanted}", field="id")
        return found  # type: ignore[no-any-return]

    def get_many(self, record_ids: Iterable[UUID | str | T]) -> dict[UUID, T]:
        """The records of these ids, by id; those that are not there, or that this actor may not see, are left out."""
        wanted = [Reference("*").parse(record_id) for record_id in record_ids]
        return {r.id: r for r in self.session.reader.by_ids(self.type.key, list(dict.fromkeys(wanted)))}

    def where(self, *conditions: Expr | str, **equal: Any) -> "Query[T]":
        """The records that meet all conditions: expressions, texts, or values by keyword. Raises InvalidQuery."""
        return Query[T](self.session, self.type).where(*conditions, **equal)

    def one(self, **equal: Any) -> T:
        """The one record with these values. Raises NotFound for none, InvalidQuery for several."""
        found = list(self.where(**equal).limit(2))
        if not found:
            raise missing(self.type)
        if len(found) > 1:
            raise InvalidQuery(f"several {self.type.plural} have these values", code="several")
        return found[0]

    def __iter__(self) -> Iterator[T]:
        return iter(self.where())

    def order_by(self, *keys: Any) -> "Query[T]":
        """All records in order."""
        return self.where().order_by(*keys)

    def count(self) -> int:
        """How many there are for this actor."""
        return self.where().count()

    def totals(self, by: Any = (), sums: Any = ()) -> list[Group]:
        """Counts and sums, grouped; see ``Query.totals``."""
        return self.where().totals(by, sums)

    def exists(self, *conditions: Expr | str, **equal: Any) -> bool:
        """Whether any record meets the conditions."""
        return self.where(*conditions, **equal).exists()

    def history(self, target: T | UUID | str) -> list[Version]:
        """The versions of a record, oldest first, each with its changeset and what it changed."""
        return self.session.history().timeline(self.type.key, Reference("*").parse(target))

    # -------------------------------------------------------------------------------------------------------- writing

    def create(self, values: Mapping[str, Any] | T | None = None, /, **fields: Any) -> T:
        """A new record. What a keyword gives counts, whatever the mapping or the draft says.

        Raises InvalidRecord with every problem, Duplicate, Denied, Vetoed; then nothing is kept.
        """
        given: Any = values
        if not isinstance(values, Record):
            given = _given(values, fields)
        elif fields:
            given = {**self.session.parser(self.type.key).draft(values), **fields}
        return self._single("create", lambda tally: self._writes.create(self.type.key, [(0, given)], tally))

    def update(self, target: T | UUID | str, values: Mapping[str, Any] | None = None, /, **fields: Any) -> T:
        """The record with new values; nothing given that differs, nothing written. Raises as create, and Conflict."""
        row = (0, target, _given(values, fields))
        return self._single("update", lambda tally: self._writes.update(self.type.key, [row], tally))

    def delete(self, target: T | UUID | str) -> None:
        """Delete the record; it stays in history. Raises InvalidRecord (``referenced``), Denied, Conflict, Vetoed."""
        with self.session.doing(f"{self.type.key}.delete"):
            self._writes.delete(self.type.key, [(0, target)], Raising())

    def upsert(self, values: Mapping[str, Any] | None = None, /, *, by: str | tuple[str, ...], **fields: Any) -> T:
        """The record with the same value in ``by`` updated, or a new one.

        Two sessions that upsert by the same value at once make one record: the second waits for the first, and updates.
        Raises InvalidQuery if several records have it (``several``), InvalidRecord if the row does not (``blank_key``).
        """
        return Upserts(self.session, self.type, _names(by)).one(_given(values, fields))  # type: ignore[no-any-return]

    @property
    def _writes(self) -> WritePath:
        return WritePath(self.session)

    def _single(self, verb: str, write: Callable[[Tally], None]) -> T:
        tally = Raising()
        with self.session.doing(f"{self.type.key}.{verb}"):
            write(tally)
            record_id: Any = tally.rows[0][2]
            return self.session.written_record(self.type.key, record_id, tally.last)  # type: ignore[no-any-return]

    # ----------------------------------------------------------------------------------------------------------- bulk

    def create_many(
        self,
        rows: Iterable[Mapping[str, Any] | T],
        *,
        form: Form = "python",
        stop: bool = False,
        dry_run: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> BulkResult:
        """Many new records, streamed in, written in blocks, with an outcome for each row.

        A refused row is reported and the others go on, unless ``stop``: then the first refusal raises BulkStopped and
        nothing is kept. ``form="text"`` reads cells of a file. ``progress`` is told how many rows each block had.
        """
        with self.session.bulk(f"{self.type.key}.create_many", stop=stop, dry_run=dry_run) as tally:
            self._writes.create(self.type.key, _numbered(rows), tally, _form(form), progress)
        return self.session.result(tally, dry_run)

    def update_many(
        self,
        rows: Iterable[tuple[T | UUID | str, Mapping[str, Any]]],
        *,
        form: Form = "python",
        stop: bool = False,
        dry_run: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> BulkResult:
        """Many updates, as if one after the other: pairs of record (or id) and values. See create_many."""
        numbered = ((i, *_pair(row)) for i, row in _numbered(rows))
        with self.session.bulk(f"{self.type.key}.update_many", stop=stop, dry_run=dry_run) as tally:
            self._writes.update(self.type.key, numbered, tally, _form(form), progress)
        return self.session.result(tally, dry_run)

    def delete_many(
        self,
        targets: Iterable[T | UUID | str],
        *,
        stop: bool = False,
        dry_run: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> BulkResult:
        """Many deletes; records that refer to one another may go together. See create_many."""
        with self.session.bulk(f"{self.type.key}.delete_many", stop=stop, dry_run=dry_run) as tally:
            self._writes.delete(self.type.key, _numbered(targets), tally, progress)
        return self.session.result(tally, dry_run)

    def upsert_many(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        by: str | tuple[str, ...],
        form: Form = "python",
        stop: bool = False,
        dry_run: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> BulkResult:
        """Many upserts, written one by one in the order of the rows, so that a later row finds what an earlier one
        made; rows without a key are refused (``blank_key``). See create_many.
        """
        with self.session.bulk(f"{self.type.key}.upsert_many", stop=stop, dry_run=dry_run) as tally:
            upserts = Upserts(self.session, self.type, _names(by), _form(form))
            for block in blocks(_numbered(rows), BLOCK):
                upserts.many(block, tally)
                if progress is not None:
                    progress(len(block))
        return self.session.result(tally, dry_run)

    # ------------------------------------------------------------------------------------------------------- commands

    if TYPE_CHECKING:

        def tag_history(self, target: T | UUID | str) -> list[TagEvent]: ...
        def assign(self, target: T | UUID | str, owner: Any) -> T: ...
        def tag(self, target: T | UUID | str, tag: str, expires_at: datetime | None = None) -> None: ...
        def untag(self, target: T | UUID | str, tag: str) -> None: ...
        def share(
            self,
            target: T | UUID | str,
            reason: str,
            user: Any = None,
            team: Any = None,
            level: str = "read",
            expires_at: datetime | None = None,
        ) -> None: ...
        def unshare(self, target: T | UUID | str, user: Any = None, team: Any = None) -> None: ...

    else:

        def __getattr__(self, verb):
            if verb.startswith("_"):
                raise AttributeError(verb)
            verbs = self.session.crm.commands.verbs(self.type.key)
            if verb not in verbs:
                raise AttributeError(f"{self.type.plural} have no verb {verb!r}; {suggestion(verb, verbs)}")
            return partial(self._command, verbs[verb])

    def _command(self, command: Any, target: Any, /, *arguments: Any, **named: Any) -> Any:
        if command.name.startswith("*."):
            named["type_key"] = self.type.key
        return self.session.do(command(target, *arguments, **named))


def _form(form: Any) -> Form:
    if form not in get_args(Form):
        raise UsageError(f"{shown(form)} is no form of values", code="bad_form", hint="python, text or json")
    return form  # type: ignore[no-any-return]


def _names(by: Any) -> tuple[str, ...]:
    names = (by,) if isinstance(by, str) else by
    if not isinstance(names, tuple | list) or not names or not all(isinstance(name, str) for name in names):
        raise InvalidQuery(f"{shown(by)} names no field", code="no_key", hint='by="email", or by=("account", "label")')
    return tuple(names)


def _given(values: Any, fields: dict[str, Any]) -> dict[str, Any]:
    if values is not None and not isinstance(values, Mapping):
        raise InvalidRecord(f"{shown(values)} is not a mapping of fields to values", code="not_a_mapping")
    return {**(values or {}), **fields}


def _numbered(rows: Any) -> Iterator[tuple[int, Any]]:
    try:
        return enumerate(iter(rows))
    except TypeError as error:
        if hasattr(type(rows), "__iter__"):  # its own failing, and not that it is none
            raise
        raise UsageError(f"{shown(rows)} is no list of rows", code="not_rows", hint="any iterable") from error


def _pair(row: Any) -> tuple[Any, Any]:
    """Record and values; of anything else, nothing that could be taken for them."""
    return row if isinstance(row, tuple) and len(row) == 2 else (None, None)


class Accounts(Collection[Account]):
    """``me.accounts``."""

    if TYPE_CHECKING:

        def advance(self, account: Account | UUID | str, to: str, reason: str | None = None) -> Account: ...


class Activities(Collection[Activity]):
    """``me.activities``."""

    if TYPE_CHECKING:

        def complete(self, activity: Activity | UUID | str, at: datetime | None = None) -> Activity: ...
