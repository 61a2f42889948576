"""Records nobody else may write until a unit of work ends, so that what is found out about them stays true."""

from typing import Any

from sqlalchemy import select

from crmkit.query.lift import Lifted
from crmkit.schema.record_type import SYSTEM_FIELDS
from crmkit.store.read.reader import Reader
from crmkit.store.sql.plans import Draft, Plan

__all__ = ["lock"]


def lock(reader: Reader, type_key: str, where: Lifted, *, referring: bool = False) -> None:
    """Whoever else wants to write, or lock, the readable records that meet the condition waits from here on.

    What is read afterwards is as they left it. With ``referring`` whoever newly refers to them waits as well. SQLite
    lets one unit of work write at a time, so there it is enough to have begun.
    """
    reader.unit.begin_write()
    if reader.view.codec.dialect != "postgresql":
        return

    def make() -> Plan:
        draft = Draft(reader.view, type_key)
        conditions = draft.conditions(where)
        identity: Any = draft.source.part(SYSTEM_FIELDS["id"], 0)
        # In the order of their ids: two that lock several do not wait for each other.
        found = select(identity).where(*conditions).order_by(identity)
        return draft.finish(reader.database, found.with_for_update(of=draft.source.selectable, key_share=not referring))

    plan = reader.shelf.get(reader.view.key("lock", type_key, where.shape, referring), make)
    reader.unit.read(plan.statement, reader.view.parameters(plan, where.values))
