"""Json fields: what may be in them, and the JSON Schema that guards them, by the standard's own test suite."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crmkit.errors import InvalidDefinition, InvalidValue
from crmkit.schema.json_guard import compiled
from crmkit.schema.json_schema import FORMATS
from crmkit.schema.types import Json

SUITE = Path(__file__).parent.parent / "data" / "json-schema-draft2020"

Group = dict[str, Any]


def groups(files: list[Path]) -> list[Any]:
    return [
        pytest.param(group, id=f"{file.relative_to(SUITE).with_suffix('')}: {group['description']}")
        for file in sorted(files)
        for group in json.loads(file.read_text(encoding="utf-8"))
    ]


def guarded(schema: Any) -> Json:
    """A field with the schema; a schema that is only true or false stands inside another."""
    return Json(schema=schema if isinstance(schema, dict) else {"allOf": [schema]})


def fits(field: Json, document: Any) -> bool:
    """Whether a document meets the schema; what is no value of any field is asked of the guard itself."""
    try:
        if document is None or document == 1e308:
            compiled(field.schema).check(document)
        else:
            field.parse(document)
    except InvalidValue as refusal:
        assert refusal.code == "schema_violation"  # noqa: PT017 - any other refusal would hide a difference
        return False
    return True


REMOTE = "a schema that lies elsewhere, and nothing is fetched"
NUL = "text with a NUL character, which no database holds"
PATTERN = "a pattern that is no regular expression of Python"
DIALECT = "a dialect of its own"
REFUSED: dict[tuple[str, str], str] = {
    ("const", "nul characters in strings"): NUL,
    ("enum", "nul characters in strings"): NUL,
    ("pattern", "pattern with Unicode property escape requires unicode mode"): PATTERN,
    ("patternProperties", "patternProperties with Unicode property escape"): PATTERN,
    ("vocabulary", "schema that uses custom metaschema with with no validation vocabulary"): DIALECT,
    ("vocabulary", "ignore unrecognized optional vocabulary"): DIALECT,
    ("dynamicRef", "strict-tree schema, guards against misspelled properties"): REMOTE,
    ("dynamicRef", "tests for implementation dynamic anchor and reference link"): REMOTE,
    ("dynamicRef", "$ref and $dynamicAnchor are independent of order - $defs first"): REMOTE,
    ("dynamicRef", "$ref and $dynamicAnchor are independent of order - $ref first"): REMOTE,
    ("dynamicRef", "$ref to $dynamicRef finds detached $dynamicAnchor"): REMOTE,
    **{
        ("refRemote", group["description"]): REMOTE
        for group in json.loads((SUITE / "refRemote.json").read_text(encoding="utf-8"))
    },
}
ALL_GROUPS = groups([*SUITE.glob("*.json"), *(SUITE / "optional").glob("*.json")])


def refused_because(request: pytest.FixtureRequest, group: Group) -> str | None:
    file = request.node.callspec.id.partition(":")[0]
    return REFUSED.get((file, group["description"]))


@pytest.mark.parametrize("group", ALL_GROUPS)
def test_a_json_field_decides_as_the_suite_of_the_standard_does(group: Group, request: pytest.FixtureRequest) -> None:
    if refused_because(request, group) is not None:
        with pytest.raises(InvalidDefinition) as refusal:
            guarded(group["schema"])
        assert refusal.value.code == "bad_option"
        return
    field = guarded(group["schema"])
    for case in group["tests"]:
        assert fits(field, case["data"]) is case["valid"], case["description"]


def test_every_exception_to_the_suite_is_in_it() -> None:
    known = {(str(param.id).partition(":")[0], param.values[0]["description"]) for param in ALL_GROUPS}
    assert set(REFUSED) <= known


NO_DATETIME = ("a valid date-time with a leap second, UTC", "a valid date-time with a leap second, with minus offset")


@pytest.mark.parametrize("group", groups(list((SUITE / "optional" / "format").glob("*.json"))))
def test_the_formats_of_the_published_contract_are_those_of_the_suite(group: Group) -> None:
    guard = compiled(group["schema"], FORMATS)
    for case in group["tests"]:
        expected = case["valid"] and case["description"] not in NO_DATETIME
        assert guard.validator.is_valid(case["data"]) is expected, case["description"]


BROKEN: dict[str, Any] = {
    "a type nobody knows": {"type": "text"},
    "a keyword of the wrong type": {"maxLength": "5"},
    "a pattern that does not compile": {"pattern": "("},
    "a pattern among properties that does not compile": {"patternProperties": {"[": {}}},
    "a reference to nowhere": {"$ref": "#/$defs/missing"},
    "a reference to an anchor nobody set": {"$ref": "#missing"},
    "a reference that is no address": {"$ref": "http://[broken"},
    "a reference to what is no schema": {"title": "x", "$ref": "#/title"},
    "a reference to a schema that is broken, where none is expected": {"x": {"type": "text"}, "$ref": "#/x"},
    "a reference to another machine": {"$ref": "https://example.com/schema.json"},
    "a reference to a file": {"$ref": "file:///etc/passwd"},
    "a reference to nowhere, deep inside": {"properties": {"a": {"items": {"$ref": "#/$defs/missing"}}}},
    "a reference to nowhere behind another": {"$ref": "#/x", "x": {"properties": {"a": {"$ref": "#/missing"}}}},
    "a reference to itself": {"$ref": "#"},
    "references round in a circle": {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
    },
    "a circle that only some documents reach": {
        "properties": {"a": {"$ref": "#/$defs/a"}},
        "$defs": {"a": {"anyOf": [{"not": {"$ref": "#/$defs/a"}}]}},
    },
    "a circle of dynamic references": {"$dynamicAnchor": "a", "$dynamicRef": "#a"},
    "two to the fortieth subschemas": {
        "$ref": "#/$defs/s40",
        "$defs": {
            "s0": {},
            **{f"s{n}": {"allOf": [{"$ref": f"#/$defs/s{n - 1}"}] * 2} for n in range(1, 41)},
        },
    },
    "an older dialect": {"$schema": "http://json-schema.org/draft-07/schema#"},
    "a dialect that is no text": {"$schema": 7},
    "a number beyond 64 bits": {"maximum": 10**30},
    "not a number": {"maximum": float("nan")},
    "half a surrogate pair": {"title": "\ud800"},
    "no JSON": {"default": object()},
    "a list": [],
    "true": True,
    "text": "{}",
}  # fmt: skip


@pytest.mark.parametrize("schema", BROKEN.values(), ids=list(BROKEN))
def test_a_broken_schema_is_refused_when_the_field_is_defined(schema: Any) -> None:
    for define in (lambda: Json(schema=schema), lambda: Json.from_options({"schema": schema})):
        with pytest.raises(InvalidDefinition) as refusal:
            define()
        assert refusal.value.code == "bad_option"
        assert len(str(refusal.value)) < 600


USABLE: dict[str, Any] = {
    "nothing": {},
    "the dialect by name": {"$schema": "https://json-schema.org/draft/2020-12/schema"},
    "itself, further into the document": {"properties": {"child": {"$ref": "#"}}},
    "the metaschema": {"$ref": "https://json-schema.org/draft/2020-12/schema"},
    "something that only looks like a reference": {"const": {"$ref": "#/missing"}},
    "unknown keywords": {"x-widget": {"$ref": 5}},
}


@pytest.mark.parametrize("schema", USABLE.values(), ids=list(USABLE))
def test_an_unusual_schema_is_taken(schema: Any) -> None:
    assert Json(schema=schema).schema == schema


def test_a_tree_may_be_as_deep_as_documents_are() -> None:
    tree = Json(schema={"type": "object", "properties": {"child": {"anyOf": [{"$ref": "#"}, {"const": 0}]}}})
    document: Any = 0
    for _ in range(32):
        document = {"child": document}
    assert tree.parse(document) == document


def test_a_violation_says_where_and_what() -> None:
    contact = Json(schema={"properties": {"phones": {"items": {"type": "string"}}}})
    with pytest.raises(InvalidValue) as refusal:
        contact.parse({"phones": ["1", 2]})
    assert refusal.value.code == "schema_violation"
    assert "$.phones[1]" in str(refusal.value)


def test_the_schema_is_compiled_once_for_each_type(monkeypatch: pytest.MonkeyPatch) -> None:
    import jsonschema

    field = Json(schema={"type": "integer"})

    def compile_again(*arguments: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(jsonschema.Draft202012Validator, "check_schema", compile_again)
    monkeypatch.setattr("crmkit.schema.types.structured.compiled", compile_again)
    assert [field.parse(n) for n in range(100)] == list(range(100))


def test_a_format_in_the_schema_of_a_field_is_an_annotation() -> None:
    assert Json(schema={"format": "date"}).parse("tomorrow") == "tomorrow"


def test_a_document_is_copied_and_normalised() -> None:
    inner = [1.0, -0.0, (True, None)]
    given = {"numbers": inner, "张": "伟\n"}
    kept = Json().parse(given)
    inner.append(2.0)
    assert kept == {"numbers": [1, 0, [True, None]], "张": "伟\n"}
    assert [type(number) for number in kept["numbers"][:2]] == [int, int]


def test_a_document_may_be_large_but_not_endless() -> None:
    assert len(Json().parse([0] * 999_999)) == 999_999
    for endless in ([0] * 1_000_000, {str(n) * 40: 0 for n in range(30_000)}, ["x" * 500_000] * 2):
        with pytest.raises(InvalidValue) as refusal:
            Json().parse(endless)
        assert refusal.value.code == "too_large"


def test_fields_without_a_schema_load_no_jsonschema() -> None:
    code = (
        "import sys, crmkit.schema.types, crmkit.schema.custom, crmkit.schema.parsing, crmkit.schema.json_schema\n"
        "crmkit.schema.types.Json().parse({})\n"
        "sys.exit(sorted({'jsonschema', 'referencing', 'marshmallow', 'sqlalchemy'} & set(sys.modules)) != [])\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
