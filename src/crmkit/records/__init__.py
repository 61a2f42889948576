"""The built-in nouns, one file per family; every one is a declaration and nothing else.

::

    party      whom we deal with: accounts, contacts
    lifecycle  where we stand with an account, and the ways from one state to another
    sales      what we sell and how far we are: leads, products, pipelines, deals
    activity   what was done and what is to be done
    tags       tags and segments
    people     who works here: users, teams, roles
    access     what a role may do, and what is shared with whom
    custom     what a tenant adds at run time
"""

from crmkit.records.access import Grant, Share
from crmkit.records.activity import ACTIVITY_KINDS, Activity
from crmkit.records.custom import BASE_OBJECT, CustomField, CustomObject, CustomRecord
from crmkit.records.party import Account, AccountContact, Contact
from crmkit.records.people import Role, RoleMember, Team, TeamMember, User
from crmkit.records.sales import (
    CATEGORIES,
    OUTCOMES,
    Deal,
    DealSplit,
    Lead,
    Pipeline,
    Product,
    Stage,
    StageGate,
    StageInterval,
)
from crmkit.records.tags import Segment, Tag, Tagging
from crmkit.schema import Record

__all__ = [
    "ACTIVITY_KINDS",
    "BASE_OBJECT",
    "BUILTIN_RECORDS",
    "CATEGORIES",
    "OUTCOMES",
    "Account",
    "AccountContact",
    "Activity",
    "Contact",
    "CustomField",
    "CustomObject",
    "CustomRecord",
    "Deal",
    "DealSplit",
    "Grant",
    "Lead",
    "Pipeline",
    "Product",
    "Role",
    "RoleMember",
    "Segment",
    "Share",
    "Stage",
    "StageGate",
    "StageInterval",
    "Tag",
    "Tagging",
    "Team",
    "TeamMember",
    "User",
]

BUILTIN_RECORDS: tuple[type[Record], ...] = (
    User,
    Team,
    Role,
    TeamMember,
    RoleMember,
    Grant,
    Share,
    Account,
    Contact,
    AccountContact,
    Lead,
    Product,
    Pipeline,
    Stage,
    StageGate,
    Deal,
    DealSplit,
    StageInterval,
    Activity,
    Tag,
    Tagging,
    Segment,
    CustomObject,
    CustomField,
    CustomRecord,
)
"""In an order in which each type comes after those it refers to."""
