"""``crmkit field``: the fields of record types, and adding some."""

import json
from typing import Any

import click

from crmkit.cli.access import Access, access_options, format_option
from crmkit.cli.output import Column, Format, Table, write

__all__ = ["field"]


@click.group()
def field() -> None:
    """Add fields to record types, and list them."""


@field.command("list")
@click.argument("on")
@format_option
@access_options
def list_(access: Access, on: str, form: Format) -> None:
    """List the fields of the record type ON that you may read, custom ones among them."""
    with access.session() as me:
        rows = [
            (
                f.key,
                f.type.name,
                f.label(),
                "custom" if f.custom else "system" if f.system else "built in",
                f.required,
                f.unique,
                f.indexed,
                f.type.options(),
            )
            for f in me.readable_fields(me.type_of(on).key)
        ]
    keys = "key type label kind required unique indexed options"
    write(Table([Column(key, clipped=True) for key in keys.split()], rows), form)


def _option(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """``k=v`` pairs."""
    options: dict[str, Any] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE", ctx, param)
        options[key] = _json(value)
    return options


@field.command()
@click.argument("on")
@click.argument("key")
@click.argument("type_name", metavar="TYPE")
@click.option(
    "--option",
    "options",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_option,
    help='An option of the type, such as minimum=0 or \'choices=["a","b"]\'; may be repeated.',
)
@click.option("--label", default="", help="What people call it.")
@click.option("--default", metavar="JSON", help="The value of records that are given none.")
@click.option("--required", is_flag=True, help="No record may be without it.")
@click.option("--unique", is_flag=True, help="No two records have the same value.")
@click.option("--indexed", is_flag=True, help="Filtering and sorting by it are fast; takes one of a few slots.")
@access_options
def add(access: Access, on: str, key: str, type_name: str, label: str, default: str | None, **named: Any) -> None:
    """Add the field KEY of a type (text, integer, date, money, choice, ...) to the record type ON."""
    with access.session() as me:
        made = me.fields.add(on, key, type_name, label=label, default=_json(default), **named)
    click.echo(f"{made.on} has the field {made.key} ({made.type}) now")


def _json(text: str | None) -> Any:
    """The text as JSON if it can be read as such, else itself; decimals keep every digit."""
    if text is None:
        return None
    try:
        return json.loads(text, parse_float=str)
    except ValueError:
        return text
