"""The command as a whole: its help, what it loads, names that are none, and refusals."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import click
import pytest

from crmkit.cli.main import COMMANDS, main
from tests.cli.command import run
from tests.cli.conftest import Company


def test_help_names_every_command_and_every_noun() -> None:
    shown = run("--help")
    assert (shown.code, shown.err) == (0, "")
    for name in main.list_commands(click.Context(main)):
        assert name in shown.out
    assert run("-h").out == shown.out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_begins_with_what_the_overview_says(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    assert (command.help or "").split("\n\n")[0].replace("\n", " ") == COMMANDS[name][1]


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").out == f"crmkit {version('crmkit')}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demoo"], "No such command 'demoo'. Did you mean 'demo'?"),
        (["dealz"], "Did you mean 'deals'?"),
        (["vessels", "--help"], "No such command 'vessels'."),
        (["deals", "lst"], "No such command 'lst'"),
        (["--db"], "No such option"),
        (["accounts", "list"], "Missing option '--as'"),
        (["doctor"], "Missing option '--db'"),
        (["undo", "--db", "x", "--as", "y"], "Missing argument 'CHANGESET'"),
    ],
)
def test_what_is_no_command_is_refused_with_help(arguments: list[str], said: str) -> None:
    answer = run(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


def test_options_come_from_the_environment_too(company: Company) -> None:
    answer = run("tags", "list", CRMKIT_DB=company.url, CRMKIT_USER="ana@acme.example", CRMKIT_TENANT="nord")
    assert "[unknown_tenant] there is no tenant 'nord'" in answer.err


def test_every_problem_is_printed_and_none_can_move_the_cursor(company: Company) -> None:
    answer = company("field", "add", "account", "Bad\x1b[2JKey", "text", "--option", "a=1")
    assert answer.code == 2
    assert len(answer.err.splitlines()) == 2
    assert "\x1b" not in answer.err


def loaded(*arguments: str) -> set[str]:
    """The top packages a process has loaded after ``crmkit ARGUMENTS``."""
    code = (
        "import sys\nfrom crmkit.cli.main import main\n"
        f"try: main({list(arguments)!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stderr.split()}


def test_what_a_command_does_not_need_is_not_loaded(company: Company) -> None:
    access = ("--db", company.url, "--as", "ana@acme.example")
    heavy = {"alembic", "jsonschema", "marshmallow", "psycopg"}
    assert loaded("accounts", "list", "--format", "json", *access) & (heavy | {"rich"}) == set()
    assert loaded("accounts", "list", *access) & heavy == set()
    assert loaded("--help") & (heavy | {"rich", "sqlalchemy"}) == set()
    assert loaded("demo", "--help") & heavy == set()


NO_ROOM = "error: the output cannot be written: No space left on device"


def process(company: Company, *arguments: str, encoding: str = "utf-8", stdout: Any = subprocess.PIPE) -> Any:
    """What a process of its own did with the command on a company's database."""
    command = [sys.executable, "-c", "from crmkit.cli.main import main; main()", *arguments]
    names = {"PYTHONIOENCODING": encoding, "CRMKIT_DB": company.url, "CRMKIT_USER": "ana@acme.example"}
    return subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, check=False, env={**os.environ, **names}, timeout=60
    )


def test_a_terminal_that_cannot_show_a_sign_gets_its_number(company: Company) -> None:
    done = process(company, "accounts", "list", "--where", "headroom > 5", "--fields", "name", encoding="latin-1")
    assert done.returncode == 0
    assert rb"\u5317\u4eac" in done.stdout


def test_a_program_that_cannot_be_given_a_sign_is_not_given_another_text(company: Company) -> None:
    """JSON has its own way to write any sign down; CSV has none."""
    arguments = ("accounts", "list", "--where", "headroom > 5", "--fields", "name", "--format")
    for more in (arguments, ("accounts", "show", str(company.ids["北京科技有限公司"]), "--format")):
        done = process(company, *more, "json", encoding="latin-1")
        assert done.returncode == 0
        assert "北京科技有限公司" in str(json.loads(done.stdout))
    done = process(company, *arguments, "csv", encoding="latin-1")
    assert (done.returncode, done.stdout.split()) == (1, [b"name"])
    assert b"the output is in iso8859-1" in done.stderr
    assert b"PYTHONIOENCODING=utf-8" in done.stderr
    assert "北京" in process(company, *arguments, "csv").stdout.decode()


def test_output_that_cannot_be_written_is_one_line_of_error(company: Company) -> None:
    for arguments in (("accounts", "list"), ("accounts", "list", "--format", "csv"), ("--help",), ("--version",)):
        with open("/dev/full", "wb") as full:
            done = process(company, *arguments, stdout=full)
        assert (done.returncode, done.stderr.decode().splitlines()) == (1, [NO_ROOM])
