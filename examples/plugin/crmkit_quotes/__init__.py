"""Quotes: what was offered for a deal, until when, and that an accepted offer is binding.

::

    crm = CRM("sqlite:///crm.db", plugins=["crmkit_quotes"])
    quote = me.deals.quote(deal, days=14)
    me.quotes.accept(quote)

A plugin is a module (or an object) whose hooks are marked with ``hookimpl``; all that it uses is in ``crmkit.sdk``.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from crmkit.sdk import Change, Command, Committed, FieldType, Record, Veto, hookimpl
from crmkit_quotes.commands import AcceptQuote, QuoteDeal
from crmkit_quotes.gtin import Gtin
from crmkit_quotes.quote import Quote

__all__ = [
    "AcceptQuote",
    "Gtin",
    "Quote",
    "QuoteDeal",
    "crmkit_actions",
    "crmkit_after_commit",
    "crmkit_before_change",
    "crmkit_commands",
    "crmkit_field_types",
    "crmkit_record_types",
    "listens_to",
    "name",
    "role",
]

name = "quotes"
listens_to = ("quote",)
role = "automation"
"""The role it acts in when it is told of commits; every new tenant has one of this name."""


@hookimpl
def crmkit_record_types() -> Iterable[type[Record]]:
    """The nouns."""
    return [Quote]


@hookimpl
def crmkit_field_types() -> Iterable[type[FieldType]]:
    """The kinds of fields."""
    return [Gtin]


@hookimpl
def crmkit_commands() -> Iterable[type[Command[Any]]]:
    """The use cases."""
    return [QuoteDeal, AcceptQuote]


@hookimpl
def crmkit_actions() -> Iterable[str]:
    """The right to accept a quote."""
    return ["accept"]


@hookimpl
def crmkit_before_change(session: Any, changes: Sequence[Change]) -> Sequence[Change | Veto] | None:
    """Totals are rounded to what can be paid; a quote that was accepted stays as it is."""
    return [_judged(change) for change in changes]


def _judged(change: Change) -> Change | Veto:
    if change.before is not None and change.before["status"] == "accepted":
        return Veto(
            change.row, "an accepted quote is binding", "status", "quote_binding", hint="make a new quote for the deal"
        )
    if change.kind == "delete":
        return change
    return change.amended(total=change.values["total"].quantized())


@hookimpl
def crmkit_after_commit(session: Any, changes: Sequence[Committed]) -> None:
    """A note in the timeline of the deal for each quote that was accepted."""
    for changeset_id in {change.changeset_id for change in changes}:
        accepted = [
            change.after
            for change in session.changes_of(changeset_id)
            if change.type_key == "quote" and any(f.key == "status" and f.after == "accepted" for f in change.fields)
        ]
        session.activities.create_many(
            (
                {
                    "kind": "note",
                    "subject": f"Quote {quote.number} accepted: {quote.total}",
                    "at": quote.recorded_at,
                    "deal": quote.deal,
                    "owner": quote.owner,
                }
                for quote in accepted
            ),
            stop=True,
        )
