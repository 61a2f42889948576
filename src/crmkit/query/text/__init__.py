"""The text form of expressions: what people type into a filter, and what stands in explanations.

::

    amount > money("10000", "EUR") and "vip" in account.tags
    outcome == "open" and not any(activities, at > days_ago(30))
    owner in my_team and 10 <= probability < 90

It is a subset of Python's syntax; ``docs/querying.md`` lists all of it. Whatever ``parse`` accepts, ``format`` writes
in one way, and every expression but SharedWith has a text.
"""

from crmkit.query.lift import lift
from crmkit.query.nodes import Expr
from crmkit.query.text.reader import read
from crmkit.query.text.writer import write

__all__ = ["format", "parse"]


def parse(text: str) -> Expr:
    """The expression a text states. It is not checked against any schema yet.

    Raises InvalidQuery, code ``syntax`` with the place in the hint unless there is a more exact one (``too_large``,
    ``null_operand``, ``bad_days``, or what a constant is refused with, such as ``not_a_date``).
    """
    return read(text)


def format(expr: Expr) -> str:
    """The text of an expression: ``lift(parse(format(expr))) == lift(expr)``, values included.

    Raises InvalidQuery: ``no_text_form`` for SharedWith and for constants of types only a plugin knows, or what
    ``lift`` raises.
    """
    lift(expr)
    return write(expr)
