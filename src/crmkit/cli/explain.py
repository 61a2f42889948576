"""``crmkit explain``: why a record meets a condition or does not, why the user may do something with it or may not."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from crmkit.cli.access import Access, access_options, format_option
from crmkit.cli.output import Format, Table, visible, write, write_document

if TYPE_CHECKING:
    from crmkit.permissions import Decision
    from crmkit.query.explain import Explanation

__all__ = ["explain"]


@click.command()
@click.argument("noun")
@click.argument("record_id", metavar="ID")
@click.option("--where", metavar="TEXT", help="A condition: which of its clauses hold?")
@click.option("--action", metavar="ACTION", help="read, update, delete, ...: may you, and which rules say so?")
@format_option
@access_options
def explain(access: Access, noun: str, record_id: str, where: str | None, action: str | None, form: Format) -> None:
    """Why a record meets a condition, or why you may do something with it.

    NOUN is a record type, such as deals. Give either a condition or an action.
    """
    if (where is None) is (action is None):
        raise click.UsageError("give either --where or --action")
    with access.session() as me:
        records = me.records(noun)
        if where is not None:
            _print_explanation(records.where(where).explain(record_id), form)
        elif action is not None:
            _print_decision(me.explain(records.get(record_id), action), action, form)


def _print_explanation(explanation: "Explanation", form: Format) -> None:
    if form == "json":
        write_document(_document(explanation))
    elif form == "csv":
        write(Table.of("depth held clause", _clauses(explanation, 0)), form)
    else:
        for line in str(explanation).splitlines():
            click.echo(visible(line))


def _document(explanation: "Explanation") -> dict[str, Any]:
    return {
        "clause": explanation.text,
        "held": explanation.held,
        "clauses": [_document(child) for child in explanation.children],
    }


def _clauses(explanation: "Explanation", depth: int) -> Iterator[tuple[Any, ...]]:
    yield depth, explanation.held, explanation.text
    for child in explanation.children:
        yield from _clauses(child, depth + 1)


def _print_decision(decision: "Decision", action: str, form: Format) -> None:
    reasons = [(reason.effect, reason.held, reason.source) for reason in decision.reasons]
    if form == "json":
        told = [dict(zip(("effect", "held", "source"), reason, strict=True)) for reason in reasons]
        write_document({"action": action, "allowed": decision.allowed, "reasons": told})
        return
    if form == "table":
        click.echo(f"{'You may' if decision.allowed else 'You may not'} {visible(action)} it.")
    write(Table.of("effect held source", reasons), form, empty="no rule says anything of it")
