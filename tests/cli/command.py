"""Runs the command line as a terminal would, without a process."""

import json
from typing import Any

import attrs
from click.testing import CliRunner

from crmkit.cli.main import main

CHIEF = "ana@acme.example"
REP = "bo@acme.example"


@attrs.frozen
class Answer:
    """What a command printed and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document that was printed."""
        return json.loads(self.out)


def runner():
    try:
        return CliRunner(mix_stderr=False)
    except TypeError:  # since click 8.2 they never are
        return CliRunner()


def run(*arguments: str, **environment: str) -> Answer:
    """The answer to ``crmkit ARGUMENTS``; an exception that is no refusal is raised."""
    unset = {"CRMKIT_DB": None, "CRMKIT_USER": None, "CRMKIT_TENANT": None, "CRMKIT_PLUGINS": None, "FORCE_COLOR": None}
    result = runner().invoke(main, arguments, env={**unset, **environment}, prog_name="crmkit", terminal_width=80)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)
