"""What happened: differences, timelines, and undoing.

::

    changes   what a changeset did to each record, field by field
    undo      what undoing it would do today: the pure plan, in three buckets
"""

from crmkit.history.changes import FieldChange, History, RecordChange, Version
from crmkit.history.undo import UndoEntry, UndoResult, UndoStep, plan_undo

__all__ = ["FieldChange", "History", "RecordChange", "UndoEntry", "UndoResult", "UndoStep", "Version", "plan_undo"]
