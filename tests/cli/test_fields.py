"""``crmkit field add`` and ``field list``."""

import pytest

from tests.cli.command import REP
from tests.cli.conftest import Company


def fields_of(company: Company, on: str) -> dict[str, dict[str, object]]:
    return {row["key"]: row for row in company("field", "list", on, "--format", "json").document}


def test_a_field_is_added_with_its_options_and_used_at_once(company: Company) -> None:
    added = company(
        *("field", "add", "account", "grade", "choice"),
        *("--option", 'choices=[["甲","一级"],["乙","二级"]]', "--label", "等级", "--indexed"),
    )
    assert (added.code, added.out) == (0, "account has the field grade (choice) now\n")
    field = fields_of(company, "account")["grade"]
    assert (field["label"], field["indexed"], field["kind"]) == ("等级", True, "custom")
    assert field["options"] == {"choices": [["甲", "一级"], ["乙", "二级"]]}
    assert company("accounts", "list", "--where", 'grade == "甲"').out == "no accounts\n"


def test_options_are_read_as_json_and_decimals_keep_their_digits(company: Company) -> None:
    company(
        "field", "add", "vessel", "length", "decimal", "--option", "minimum=0.10", "--option", "scale=2", "--unique"
    )
    field = fields_of(company, "vessels")["length"]
    assert (field["options"], field["unique"]) == ({"minimum": "0.10", "scale": 2}, True)


def test_a_required_field_takes_a_default(company: Company) -> None:
    arguments = ("field", "add", "account", "region", "text", "--required")
    refused = company(*arguments)
    assert refused.code == 2
    assert "[needs_default]" in refused.err
    assert "region" not in fields_of(company, "account")
    assert company(*arguments, "--default", '"亚洲"').code == 0
    assert company(*("field", "add", "contact", "rank", "integer", "--default", "3")).code == 0
    assert fields_of(company, "account")["region"]["required"] is True


def test_fields_are_listed_in_every_format(company: Company) -> None:
    table = company("field", "list", "account").out.splitlines()
    assert table[0].split() == ["key", "type", "label", "kind", "required", "unique", "indexed", "options"]
    assert company("field", "list", "account", "--format", "csv").out.startswith("key,type,label,kind,")
    kinds = {row["kind"] for row in fields_of(company, "account").values()}
    assert kinds == {"system", "built in", "custom"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["account", "Grade", "text"], "[bad_key]"),
        (["account", "headroom", "text"], "[duplicate_field]"),
        (["account", "grade", "txt"], "[unknown_field_type]"),
        (["account", "grade", "text", "--option", "colour=red"], "[unknown_option]"),
        (["account", "grade", "text", "--option", "max_length"], "'max_length' is not KEY=VALUE"),
        (["acount", "grade", "text"], "[unknown_type]"),
    ],
)
def test_a_field_that_cannot_be_is_refused_and_not_there(company: Company, arguments: list[str], said: str) -> None:
    before = fields_of(company, "account")
    answer = company("field", "add", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert fields_of(company, "account") == before


def test_who_may_not_define_fields_adds_none(company: Company) -> None:
    answer = company("field", "add", "account", "grade", "text", user=REP)
    assert (answer.code, answer.out) == (2, "")
    assert "[denied]" in answer.err
    assert "grade" not in fields_of(company, "account")
