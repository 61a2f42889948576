"""One expression language for filters, segments, permissions, gates and validation.

::

    nodes       the tree a person writes: F.amount > 10_000
    text, json_form    its two other spellings (text_tokens, text_reader, text_writer; json_schema: what is published)
    lift        shape and constants taken apart, so that shapes are compiled once
    bind        checked against a schema and the actor's rights -> bound conditions; weight: and small enough
    condition, bound, terms, operators    both meanings, SQL and in memory, side by side (functions: spelt in two ways)
    explain     which clauses held
    context     what the language asks of its surroundings
"""

from crmkit.query.nodes import (
    Expr,
    F,
    Order,
    Path,
    days_ago,
    days_from_now,
    in_segment,
    me,
    my_team,
    my_team_and_below,
    now,
    today,
)

__all__ = [
    "Expr",
    "F",
    "Order",
    "Path",
    "days_ago",
    "days_from_now",
    "in_segment",
    "me",
    "my_team",
    "my_team_and_below",
    "now",
    "today",
]
