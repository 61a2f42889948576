"""SQL is built from columns, in the packages that build statements, and nowhere as text."""

from collections.abc import Iterator

import pytest

from tests.architecture.sources import Source, imported_names, sample

TEXTUAL = frozenset({"TextClause", "literal_column", "text"})
# The statement checker has to name what it refuses.
REFUSED_BY_NAME = {"store/sql/tenant_check.py": frozenset({"TextClause"})}
STATEMENTS = frozenset(
    {"delete", "except_", "except_all", "exists", "insert", "intersect", "intersect_all", "select"}
    | {"union", "union_all", "update"}
)


def textual_sql(source: Source) -> Iterator[str]:
    """Uses of SQL as text; a migration may state the SQL of its release, with no name from outside in it."""
    if source.path.is_relative_to("store/migrations"):
        return
    forbidden = TEXTUAL - REFUSED_BY_NAME.get(str(source.path), frozenset())
    for name, line in sorted(set(imported_names(source.tree, "sqlalchemy"))):
        if name.rpartition(".")[2] in forbidden:
            yield f"{source.path}:{line}: {name} makes SQL from text"


def stray_statements(source: Source) -> Iterator[str]:
    """Statements built outside query, store and a feature's own sql."""
    if source.package in {"query", "store"} or "sql" in (source.path.stem, source.path.parent.name):
        return
    for name, line in sorted(set(imported_names(source.tree, "sqlalchemy"))):
        if name.rpartition(".")[2] in STATEMENTS:
            yield f"{source.path}:{line}: {name} builds a statement"


def test_the_package_makes_no_sql_from_text(sources: list[Source]) -> None:
    assert [problem for source in sources for problem in textual_sql(source)] == []


def test_the_package_builds_statements_only_where_they_belong(sources: list[Source]) -> None:
    assert [problem for source in sources for problem in stray_statements(source)] == []


@pytest.mark.parametrize(
    "code",
    [
        "from sqlalchemy import text",
        "from sqlalchemy import text as t",
        "from sqlalchemy.sql import literal_column",
        "from sqlalchemy.sql.expression import TextClause",
        "import sqlalchemy as sa\nsa.text('select 1')",
        "import sqlalchemy\nsqlalchemy.sql.literal_column('x')",
        "from sqlalchemy import sql\nsql.text('select 1')",
    ],
)
def test_sql_from_text_is_found_however_it_is_imported(code: str) -> None:
    assert len(list(textual_sql(sample(code, "store/read/reader.py")))) == 1
    assert list(textual_sql(sample(code, "store/migrations/v1.py"))) == []


def test_the_statement_checker_may_name_what_it_refuses_but_not_make_it() -> None:
    assert list(textual_sql(sample("from sqlalchemy import TextClause", "store/sql/tenant_check.py"))) == []
    assert len(list(textual_sql(sample("from sqlalchemy import text", "store/sql/tenant_check.py")))) == 1


def test_a_text_of_our_own_is_no_sql() -> None:
    code = "from crmkit.schema import text\nname = text(label='Name')\nfield.text()\nfrom sqlalchemy import Text"
    assert list(textual_sql(sample(code))) == []


@pytest.mark.parametrize(
    "code",
    [
        "from sqlalchemy import select",
        "from sqlalchemy.dialects.postgresql import insert",
        "import sqlalchemy as sa\nsa.update(table)",
    ],
)
def test_a_statement_is_reported_outside_the_packages_that_build_them(code: str) -> None:
    for path in ("kernel/session/session.py", "schema/text.py", "kernel/undo/plan.py", "cli/main.py"):
        assert len(list(stray_statements(sample(code, path)))) == 1
    for path in ("store/read/reader.py", "query/compile.py", "features/tags/sql.py", "features/metrics/sql/tallies.py"):
        assert list(stray_statements(sample(code, path))) == []


def test_a_field_type_may_name_its_column_type() -> None:
    code = "from sqlalchemy import Text, BigInteger\nfrom sqlalchemy.types import TypeDecorator"
    assert list(stray_statements(sample(code, "schema/text.py"))) == []
