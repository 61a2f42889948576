"""A plugin that cannot be told anything, and brings a record type of its own."""

from typing import Any

from crmkit.schema import Record, field, record_type
from crmkit.schema.types import Text
from crmkit.sdk import hookimpl

name = "tests.failing"
listens_to = ("account",)


@record_type("parcel", plural="parcels", title="code")
class Parcel(Record):
    """A parcel."""

    code: str = field(Text())


@hookimpl
def crmkit_record_types() -> list[type[Record]]:
    return [Parcel]


@hookimpl
def crmkit_after_commit(session: Any, changes: Any) -> None:
    raise ConnectionError("no postman")
