"""A database on which a generated world is set up, asked, and taken down, in a transaction that never commits."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from uuid import UUID

import attrs

from crmkit.query.bind import SegmentSource, no_segments
from crmkit.query.context import ALL_RIGHTS, Guard, Moment
from crmkit.query.lift import NOBODY, ActorIds
from crmkit.schema import Schema
from crmkit.store import Database, Tables
from crmkit.store.migrate import migrate
from crmkit.store.plans import Shelf, View
from crmkit.store.reader import Reader
from crmkit.store.unit import Unit
from crmkit.store.writer import NewRow, Stamp, Writer
from crmkit.values import to_micros
from tests.query.strategies import DECLARED
from tests.query.worlds import MOMENT

TENANT = 7
_TOKENS = count()
_STAMP = Stamp(UUID(int=1), to_micros(MOMENT.now), None)

Rows = Iterable[tuple[str, UUID, dict[str, Any]]]
"""Record type, id, values by field; a field without a value may be left out."""


@attrs.frozen
class Stage:
    """One migrated database; worlds come and go on it."""

    database: Database
    tables: Tables

    @classmethod
    def at(cls, url: str) -> "Stage":
        """The stage on an empty database."""
        tables = Tables(DECLARED)
        database = Database(url, tables=tables)
        migrate(database)
        return cls(database, tables)

    @contextmanager
    def showing(self, schema: Schema, rows: Rows, later: Rows = ()) -> Iterator["Scene"]:
        """The world in the database for as long as the block lasts; ``later`` are values to set when all are there."""
        with self.database.open() as unit:
            scene = Scene(self, schema, unit, next(_TOKENS), Shelf())
            writer = scene.writer()
            values: dict[UUID, dict[str, Any]] = {}
            for type_key, record_id, given in rows:
                values[record_id] = {f.key: None for f in schema.type(type_key).fields} | given
                writer.insert(type_key, [NewRow(record_id, values[record_id])])
            for type_key, record_id, given in later:
                values[record_id] |= given
                assert writer.update(type_key, [(record_id, 1, values[record_id])], frozenset(given)) == []
            yield scene
            unit.rollback()


@attrs.frozen
class Scene:
    """A world in the database."""

    stage: Stage
    schema: Schema
    unit: Unit
    token: int
    shelf: Shelf

    def view(
        self,
        moment: Moment = MOMENT,
        guard: Guard = ALL_RIGHTS,
        actors: ActorIds = NOBODY,
        segments: SegmentSource = no_segments,
    ) -> View:
        """What somebody sees of it."""
        stage = self.stage
        token = (self.token, next(_TOKENS))
        codec = stage.database.codec
        return View(stage.tables, codec, TENANT, token, self.schema, moment, guard, actors, segments)

    def reader(self, view: View) -> Reader:
        """Reads in a view."""
        return Reader(self.stage.database, self.shelf, self.unit, view)

    def writer(self) -> Writer:
        """Writes without asking anybody."""
        return Writer(self.stage.database, self.shelf, self.unit, self.view(), _STAMP)
