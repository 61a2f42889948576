"""The only door for plugins: what a plugin needs is a name of this package, or of two of its modules.

::

    hookimpl                        marks a function as a hook's implementation (markers; plugins finds and calls it)
    hooks/                          the hooks, one file a topic
    command, Command, Target        a use case of your own
    Change, Committed, Veto         what hooks see and say (change)
    Create, Update, Delete, Event   what follows from a change
    Refusal, Dependant, refusals    what checks say, and what relies on definitions (definitions)
    Finding                         what an examination found (finding)
    record_type, field, Record      a noun of your own
    FieldType                       a kind of field of your own
    F, days_ago, me, ...            expressions
    lifecycle                       the ways of an account's lifecycle
    intake                          outside input, read with a schema made from a record type
"""

from crmkit.errors import CrmkitError, InvalidRecord, InvalidValue, NotFound, PluginError, Problem
from crmkit.query import F, days_ago, days_from_now, in_segment, me, my_team, my_team_and_below, now, today
from crmkit.schema import Field, FieldType, Kind, Part, Record, Slot, field, record_type, types
from crmkit.sdk.change import Change, Committed, Create, Delete, Event, Update, Veto
from crmkit.sdk.command import Command, Target, command
from crmkit.sdk.definitions import Dependant, Refusal, refusals
from crmkit.sdk.finding import Finding
from crmkit.sdk.markers import hookimpl
from crmkit.values import Address, Money, Period, PersonName

__all__ = [
    "Address",
    "Change",
    "Command",
    "Committed",
    "Create",
    "CrmkitError",
    "Delete",
    "Dependant",
    "Event",
    "F",
    "Field",
    "FieldType",
    "Finding",
    "InvalidRecord",
    "InvalidValue",
    "Kind",
    "Money",
    "NotFound",
    "Part",
    "Period",
    "PersonName",
    "PluginError",
    "Problem",
    "Record",
    "Refusal",
    "Slot",
    "Target",
    "Update",
    "Veto",
    "command",
    "days_ago",
    "days_from_now",
    "field",
    "hookimpl",
    "in_segment",
    "me",
    "my_team",
    "my_team_and_below",
    "now",
    "record_type",
    "refusals",
    "today",
    "types",
]
