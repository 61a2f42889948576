"""Why a record meets a condition, or does not: the clauses, as they are written, and whether each held.

Only what was asked is shown, in the words of whoever asked: clauses of the expression and of the segments in it, never
values of the record, never the conditions by which rights are granted. A field the actor may not read cannot be asked
for, so no clause is about one; where it may be read of some records only, the clause is unknown on the others.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import attrs

from crmkit.errors import InvalidQuery
from crmkit.query.bind import SegmentSource, no_segments
from crmkit.query.bound import Inside
from crmkit.query.condition import Bound
from crmkit.query.context import Row, WorldContext
from crmkit.query.nodes import And, Expr, HasTag, InSegment, Not, Or, Within, joined
from crmkit.query.text import format as text_of
from crmkit.query.text.writer import path_text

__all__ = ["Explanation", "explain"]

_LONGEST = 300
_NO_TEXT = "a condition without text"
_MARKS: Mapping[bool | None, str] = MappingProxyType({True: "✓", False: "✗", None: "?"})


@attrs.frozen
class Explanation:
    """A clause and whether it held: True, False, or None for unknown.

    ``text`` is the clause in text form; of a clause with ``children`` the word that joins them (``and``, ``or``,
    ``not``, ``within(account)``, ``in_segment("hot")``). ``str()`` draws the tree, a line for each clause.
    """

    text: str
    held: bool | None
    children: tuple["Explanation", ...] = ()

    def __str__(self) -> str:
        return "\n".join(self._lines(""))

    def _lines(self, indent: str) -> Iterator[str]:
        yield f"{indent}{_MARKS[self.held]} {self.text}"
        for child in self.children:
            yield from child._lines(f"{indent}  ")


def explain(
    bound: Bound, expr: Expr | None, row: Row, context: WorldContext, segments: SegmentSource = no_segments
) -> Explanation:
    """Which clauses of the expression hold of the record.

    ``bound`` is what the expression was bound to, and ``row`` the record as it is, not as the actor is shown it: masks
    are part of ``bound``. Without an expression there is nothing to show but whether it held, and so of a segment that
    ``segments`` does not give.
    """
    children: tuple[Explanation, ...] = ()
    match expr:
        case And() | Or():
            whole = joined(expr)
            if not isinstance(whole, And | Or):
                return explain(bound, whole, row, context, segments)
            parts = zip(bound.parts(), whole.items, strict=True)
            children = tuple(explain(part, item, row, context, segments) for part, item in parts)
            text = "and" if isinstance(whole, And) else "or"
        case Not(item) if isinstance(item, And | Or | Not | Within | InSegment):
            (part,) = bound.parts()
            text, children = "not", (explain(part, item, row, context, segments),)
        case Within(path, where) if isinstance(bound, Inside) and not isinstance(where, HasTag):
            text = f"within({path_text(path.names)})" if path.names else "holds"
            target = bound.column.follow(context, row)
            if target is not None:
                children = (explain(bound.where, where, target, context, segments),)
        case InSegment(name):
            text, found = _text(expr), segments(name)
            if found is not None:
                children = (explain(bound, found[1], row, context, segments),)
        case _:
            text = _text(expr)
    return Explanation(text, bound.test(context, row), children)


def _text(expr: Expr | None) -> str:
    if expr is None:
        return _NO_TEXT
    try:
        text = text_of(expr)
    except InvalidQuery:
        return _NO_TEXT
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
