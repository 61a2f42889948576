"""The two commands of the README are the ones that are run."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def shell_blocks(markdown: str) -> list[str]:
    """The contents of the blocks fenced as ``sh``."""
    return re.findall(r"^```sh\n(.*?)^```$", markdown, flags=re.MULTILINE | re.DOTALL)


def wrong_commands(markdown: str) -> list[str]:
    """What keeps the set-up commands of a README from working on a fresh machine."""
    blocks = shell_blocks(markdown)
    if len(blocks) != 2:
        return [f"{len(blocks)} set-up commands instead of two"]
    problems = [f"more than one line: {block!r}" for block in blocks if block.count("\n") != 1]
    main, tests = blocks
    if not main.endswith(".venv/bin/crmkit demo\n"):
        problems.append("the first command does not end with the main job")
    if not re.search(r" \.venv/bin/pytest( .*)?\n$", tests):
        problems.append("the second command does not end with the tests")
    extras = {extra for block in blocks for listed in re.findall(r"\[([\w,]+)\]", block) for extra in listed.split(",")}
    problems += [f"no extra {extra!r}" for extra in sorted(extras - PROJECT["optional-dependencies"].keys())]
    problems += ["no command 'crmkit'"] if "crmkit" not in PROJECT["scripts"] else []
    return problems


def shown(readme: Path) -> subprocess.CompletedProcess[str]:
    """What ``.ci/run --show`` answers for a README."""
    return subprocess.run(
        ["bash", ROOT / ".ci" / "run", "--show"],
        env={"PATH": "/usr/bin:/bin", "CRMKIT_README": str(readme)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_readme_has_one_command_for_the_main_job_and_one_for_the_tests() -> None:
    assert wrong_commands(README) == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    answer = shown(ROOT / "README.md")
    assert (answer.returncode, answer.stdout) == (0, shell_blocks(README)[1])


def test_ci_follows_a_readme_that_changes(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(README.replace("pytest -n 2", "pytest -n 3"), encoding="utf-8")
    assert shown(readme).stdout == shell_blocks(README)[1].replace("-n 2", "-n 3")


@pytest.mark.parametrize(
    "markdown",
    [
        "# nothing\n",
        "```sh\n.venv/bin/pytest\n```\n```sh\n.venv/bin/pytest -x\n```\n",
        "```text\n.venv/bin/pytest\n```\n",
    ],
)
def test_ci_refuses_a_readme_without_exactly_one_test_command(tmp_path: Path, markdown: str) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(markdown, encoding="utf-8")
    answer = shown(readme)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "exactly one command" in answer.stderr


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[test]", "[tests]", "no extra 'tests'"),
        ("crmkit demo", "crmkit", "the first command does not end with the main job"),
        ("/pytest", "/tox", "the second command does not end with the tests"),
        ("```sh", "```text", "0 set-up commands instead of two"),
    ],
)
def test_a_readme_whose_commands_would_fail_is_reported(old: str, new: str, problem: str) -> None:
    assert problem in wrong_commands(README.replace(old, new))


def test_a_command_of_two_lines_is_reported() -> None:
    problems = wrong_commands(README.replace(" && .venv/bin/pytest", " && \\\n .venv/bin/pytest"))
    assert [problem.partition(":")[0] for problem in problems] == ["more than one line"]
