"""``crmkit migrate`` and ``crmkit doctor``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, create_engine, make_url, text

from tests.cli.command import CHIEF, Answer, run
from tests.cli.conftest import Company
from tests.postgres import administrator

PLUGIN = "tests.cli.failing_plugin"


def problems(answer: Answer) -> list[str]:
    return [row["check"] for row in answer.document if row["status"] == "problem"]


def doctor(url: str, *options: str) -> Answer:
    return run("doctor", "--db", url, "--format", "json", *options)


def behind(url: str, statement: str) -> None:
    """Changes a database behind crmkit's back."""
    engine = create_engine(make_url(url))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


# -------------------------------------------------------------------------------------------------------------- migrate


def test_migrate_makes_a_database_and_may_be_run_again(database_url: str) -> None:
    for _ in range(2):
        answer = run("migrate", "--db", database_url, "--admin", CHIEF)
        assert (answer.code, answer.out, answer.err) == (0, "the database is at this release\n", "")
    assert run("users", "list", "--db", database_url, "--as", CHIEF, "--format", "csv", "--fields", "email").out == (
        f"email\n{CHIEF}\n"
    )
    assert doctor(database_url).code == 0


def test_the_path_of_a_file_may_have_any_signs(tmp_path: Path) -> None:
    file = tmp_path / "数据 50%20?x=1#&.db"
    assert run("migrate", "--db", str(file), "--admin", CHIEF).code == 0
    assert file.exists()
    assert run("users", "list", "--db", str(file), "--as", CHIEF).code == 0


@pytest.mark.parametrize(
    ("db", "said"),
    [
        ("mysql://root@localhost/crm", "[unsupported_database]"),
        ("postgresql://", "[unreachable]"),
        ("://", "[bad_url]"),
        ("/no/such/folder/crm.db", "[cannot_open] the database's file cannot be opened (/no/such/folder/crm.db: "),
        ("/", "[cannot_open] the database's file cannot be opened (/: "),
        (__file__, f"[not_a_database] the file is no SQLite database ({__file__}: "),
        ("", "--db names no file"),
        (":memory:", "--db names no file"),
        ("sqlite://", "--db names no file"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused(db: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "/no/such/folder")
    answer = run("migrate", "--db", db)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


def test_no_other_command_makes_a_file_by_mistake(sqlite_file: Path) -> None:
    for command in (["doctor"], ["accounts", "list", "--as", CHIEF], ["changesets", "--as", CHIEF]):
        for db in (str(sqlite_file), f"sqlite:///{sqlite_file}"):
            answer = run(*command, "--db", db)
            assert (answer.code, answer.out) == (2, "")
            assert f"there is no database {sqlite_file}" in answer.err
    assert not sqlite_file.exists()


# --------------------------------------------------------------------------------------------------------------- doctor


def test_a_healthy_database_has_no_problem(migrated_url: str) -> None:
    answer = doctor(migrated_url)
    assert (answer.code, problems(answer), answer.err) == (0, [], "")
    checks = [row["check"] for row in answer.document]
    of_tenant = ["deliveries of default", "histories of deals in default", "shares of deals in default"]
    assert checks == ["database", "encoding", "references", "rules for tables", "migration", *of_tenant]
    assert run("doctor", "--db", migrated_url).out.startswith("status  check")
    assert run("doctor", "--db", migrated_url, "--format", "csv").out.startswith("status,check,detail\nok,database,")


def test_slots_that_are_used_up_are_a_note_and_no_problem(company: Company) -> None:
    with company.crm.session(CHIEF) as me:
        for number in range(5):
            me.fields.add("contact", f"word_{number}", "text", indexed=True)
    answer = doctor(company.url)
    rows = {row["check"]: (row["status"], row["detail"]) for row in answer.document}
    assert rows["slots of contacts in default"] == ("note", "5 of 5 text")
    assert rows["slots of accounts in default"] == ("ok", "1 of 4 number")
    assert answer.code == 0


def test_a_database_nobody_migrated_is_a_problem(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        behind(database_url, "CREATE TABLE other (id INTEGER)")
    answer = doctor(database_url)
    assert (answer.code, problems(answer)) == (1, ["migration"])
    assert "run crmkit migrate" in answer.out


def test_a_database_of_another_release_is_a_problem(migrated_url: str) -> None:
    behind(migrated_url, "UPDATE crmkit_version SET version_num = '9999'")
    answer = doctor(migrated_url)
    assert (answer.code, problems(answer)) == (1, ["migration"])
    assert "at revision 9999" in answer.out


def test_tables_of_a_plugin_that_are_missing_are_a_problem_until_migrated(migrated_url: str) -> None:
    assert problems(doctor(migrated_url)) == []
    answer = doctor(migrated_url, "--plugin", PLUGIN)
    assert (answer.code, problems(answer)) == (1, ["migration"])
    assert "without the tables crm_parcel, crm_parcel_history" in answer.out
    assert run("migrate", "--db", migrated_url, "--plugin", PLUGIN).code == 0
    assert doctor(migrated_url, "--plugin", PLUGIN).code == 0


def test_a_plugin_that_could_not_be_told_is_a_problem(migrated_url: str, open_crm: Callable[..., Any]) -> None:
    run("migrate", "--db", migrated_url, "--plugin", PLUGIN)
    with open_crm(migrated_url, plugins=[PLUGIN]).session(CHIEF) as me:
        me.accounts.create(name="宝钢")
    answer = doctor(migrated_url, "--plugin", PLUGIN)
    assert (answer.code, problems(answer)) == (1, ["deliveries of default"])
    assert "tests.failing" in answer.out


def test_a_database_that_cannot_be_reached_is_the_only_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "/no/such/folder")
    answer = doctor("postgresql://")
    assert (answer.code, problems(answer), len(answer.document)) == (1, ["database"], 1)


def test_a_postgresql_that_cannot_keep_any_text_is_a_problem(postgres_server: URL) -> None:
    name = sql.Identifier("crmkit_ascii")
    with administrator(postgres_server) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0").format(name)
        )
        try:
            answer = doctor(postgres_server.set(database="crmkit_ascii").render_as_string(hide_password=False))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
    assert answer.code == 1
    assert problems(answer) == ["encoding", "migration"]
    assert "LATIN1" in answer.out
    assert isinstance(connection, psycopg.Connection)
