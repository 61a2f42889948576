"""Who may do what with which records and fields: roles and grants composed to one expression for each type and action.

::

    actions       the actions there are
    scopes        which records a grant reaches
    grants        one grant as a rule; checking: whether it means something in a schema
    actor         who acts, in which roles and teams; directory: everybody of a tenant
    policy        what one actor may do; signature: what of it decides the shapes of its expressions
    guards        the same rights for what was just written, and for the past
    evaluation    a condition tested in memory
    explain       why, and who else
"""

from crmkit.permissions.actions import ACTIONS, Actions
from crmkit.permissions.actor import SYSTEM, Actor, Teams
from crmkit.permissions.checking import check
from crmkit.permissions.directory import Directory
from crmkit.permissions.evaluation import Evaluation
from crmkit.permissions.explain import Decision, Reason, explain, who_can
from crmkit.permissions.grants import Rule
from crmkit.permissions.guards import FieldRights, HistoryRights
from crmkit.permissions.policy import Policy

__all__ = [
    "ACTIONS",
    "SYSTEM",
    "Actions",
    "Actor",
    "Decision",
    "Directory",
    "Evaluation",
    "FieldRights",
    "HistoryRights",
    "Policy",
    "Reason",
    "Rule",
    "Teams",
    "check",
    "explain",
    "who_can",
]
