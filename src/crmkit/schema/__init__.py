"""What a record type *is*: field types, fields, records, and the schema they form.

::

    parts, field_type    how a value lies in a database; what every type knows
    options, json_guard  what options of types may be; JSON Schema, compiled once and closed to the network
    types/               the built-in field types, and the registry that plugins' types join
    field, record_type   one field; one record type
    record               the frozen record and its declaration
    schema               all types together, per tenant
    custom               fields and objects a tenant adds at run time, and their slots
    index_room           how long an indexed text may be
    forms                where values of custom fields lay in rows of the past
    parsing              a record's values, parsed in one pass, all problems collected
    json_schema          the published contract
"""

from crmkit.schema.field import Field
from crmkit.schema.field_type import FieldType
from crmkit.schema.parts import Kind, Part, Slot
from crmkit.schema.record import Record, field, record_type
from crmkit.schema.record_type import RecordType, record_type_of
from crmkit.schema.schema import Schema

__all__ = [
    "Field",
    "FieldType",
    "Kind",
    "Part",
    "Record",
    "RecordType",
    "Schema",
    "Slot",
    "field",
    "record_type",
    "record_type_of",
]
