"""``crmkit migrate`` and ``crmkit doctor``: bringing a database up to date, and examining it."""

import click

from crmkit.cli.access import Access, database_options, format_option
from crmkit.cli.output import Format, Table, write

__all__ = ["doctor", "migrate"]


@click.command()
@click.option("--admin", metavar="EMAIL", help="A user who gets the role admin, made if there is none.")
@database_options
def migrate(access: Access, admin: str | None) -> None:
    """Create or upgrade the tables of a database.

    May be run as often as you like. The first run makes the default tenant, with a sales pipeline and the roles admin,
    manager, rep and automation.
    """
    with access.crm(new=True) as crm:
        crm.migrate(admin=admin)
    click.echo("the database is at this release")


@click.command()
@format_option
@database_options
@click.pass_context
def doctor(ctx: click.Context, access: Access, form: Format) -> None:
    """Examine a database; exits with 1 if something was found.

    Whether it can be reached and is at this release, how its server is set up, whether its tables keep the rules for
    tenants, which plugins could not be told of changes, and how many slots for custom fields each tenant has left.
    """
    with access.crm() as crm:
        findings = crm.examine()
    rows = [(f.status, f.what, f.whole or f.detail if form == "json" else f.detail) for f in findings]
    write(Table.of("status check detail", rows), form)
    if any(f.status == "problem" for f in findings):
        ctx.exit(1)
