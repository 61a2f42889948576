"""JSON Schema 2020-12 through the jsonschema library: compiled once, closed to the network, checked before first use.

The library is imported when a schema is compiled, not before.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

import attrs

from crmkit.errors import InvalidDefinition, InvalidValue
from crmkit.values.text import shown

__all__ = ["DIALECT", "Formats", "JsonGuard", "compiled"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Formats = Mapping[str, Callable[[str], object]]
"""Format names, and what raises InvalidValue for text that does not have the format."""

_MAX_STEPS = 10_000
"""How many subschemas may apply to one place of a document."""
_ERRORS_COMPARED = 50
_SAMPLES: tuple[Any, ...] = (None, True, 0, 1.5, "", "a", [], [0, "a"], {}, {"a": {"a": 0}})
_IN_PLACE = ("allOf", "anyOf", "oneOf")
_IN_PLACE_SINGLE = ("not", "if", "then", "else")


@attrs.frozen
class JsonGuard:
    """A compiled schema; ``validator`` is the jsonschema validator in it."""

    validator: Any

    def check(self, document: Any) -> None:
        """Raises InvalidValue (``schema_violation``) with the path and the most telling of what is wrong."""
        from jsonschema.exceptions import best_match

        try:
            error = best_match(islice(self.validator.iter_errors(document), _ERRORS_COMPARED))
        except RecursionError:
            raise InvalidValue("nested too deep for its schema", code="too_deep") from None
        if error is not None:
            raise InvalidValue(f"{error.json_path:.100}: {error.message:.200}", code="schema_violation")


def compiled(schema: Any, formats: Formats | None = None) -> JsonGuard:
    """The guard of a schema; formats are annotations unless ``formats`` has them.

    ``$ref`` reaches into the schema itself and the published metaschemas and never into the network. Raises
    InvalidDefinition (``bad_option``): not a schema, a dialect other than 2020-12, a pattern that is no regular
    expression, a reference that leads nowhere or round in a circle, or more than 10,000 subschemas on one place.
    """
    import jsonschema
    from referencing import Registry
    from referencing.exceptions import CannotDetermineSpecification
    from referencing.jsonschema import UnknownDialect

    refusals = (
        jsonschema.SchemaError,
        CannotDetermineSpecification,
        UnknownDialect,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    )
    if isinstance(schema, dict) and schema.get("$schema", DIALECT) not in (DIALECT, f"{DIALECT}#"):
        raise _bad_schema(f"{shown(schema['$schema'])} is another dialect", f"write {DIALECT}, or nothing")
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
        _Walk().over(schema)
        guard = JsonGuard(
            jsonschema.Draft202012Validator(
                schema,
                registry=Registry(),
                format_checker=None if formats is None else _format_checker(formats),
            )
        )
        for sample in _SAMPLES:
            guard.validator.is_valid(sample)
    except InvalidDefinition:
        raise
    except refusals as error:
        reason = error.message if isinstance(error, jsonschema.SchemaError) else str(error)
        raise _bad_schema(f"{reason:.200}") from error
    return guard


def _format_checker(formats: Formats) -> Any:
    import jsonschema

    # Not the library's own formats: which of those are checked depends on what else is installed.
    checker = jsonschema.FormatChecker(formats=())
    for name, read in formats.items():
        checker.checks(name, raises=InvalidValue)(partial(_has_format, read))
    return checker


def _has_format(read: Callable[[str], object], value: object) -> bool:
    if isinstance(value, str):
        read(value)
    return True


@attrs.frozen
class _Walk:
    """Follows every reference, and counts the subschemas that apply to one place of a document.

    Schemas are told apart by the identity of the parsed object, which stays as long as the schema does.
    """

    waiting: list[tuple[Any, Any]] = attrs.field(factory=list)
    """Resolvers and resources still to be looked at."""
    visited: set[int] = attrs.field(factory=set)
    counted: dict[int, float] = attrs.field(factory=dict)

    def over(self, schema: Any) -> None:
        from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]  # it has no stubs
        from referencing.jsonschema import DRAFT202012

        resource = DRAFT202012.create_resource(schema)
        self.waiting.append((REGISTRY.resolver_with_root(resource), resource))
        while self.waiting:
            resolver, resource = self.waiting.pop()
            if id(resource.contents) not in self.visited:
                self.visited.add(id(resource.contents))
                self.steps(resolver, resource.contents)
                self.waiting.extend((resolver.in_subresource(below), below) for below in resource.subresources())

    def steps(self, resolver: Any, contents: Any) -> float:
        """How many subschemas a schema applies in place, itself included. Raises InvalidDefinition."""
        if isinstance(contents, bool):
            return 1
        if not isinstance(contents, dict):
            raise _bad_schema(f"{shown(contents)} is referred to and is not a schema")
        place = id(contents)
        known = self.counted.get(place)
        if known is None:
            self.counted[place] = math.inf
            known = 1 + sum(self.steps(*below) for below in self.in_place(resolver, contents))
            self.counted[place] = known
        if known > _MAX_STEPS:
            raise _bad_schema("it refers to itself without going into the document, or grows without end")
        return known

    def in_place(self, resolver: Any, contents: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
        """The subschemas that apply to the same place of the document, with their resolvers."""
        for keyword in ("$ref", "$dynamicRef"):
            if keyword in contents:
                yield self.target(resolver, contents[keyword])
        for keyword in _IN_PLACE:
            for below in contents.get(keyword, ()):
                yield _within(resolver, below)
        for keyword in _IN_PLACE_SINGLE:
            if keyword in contents:
                yield _within(resolver, contents[keyword])
        for below in contents.get("dependentSchemas", {}).values():
            yield _within(resolver, below)

    def target(self, resolver: Any, reference: str) -> tuple[Any, Any]:
        import jsonschema
        from referencing.exceptions import Unresolvable
        from referencing.jsonschema import DRAFT202012

        try:
            found = resolver.lookup(reference)
        except (Unresolvable, ValueError) as error:
            raise _bad_schema(f"the reference {shown(reference)} leads nowhere in it", "nothing is fetched") from error
        if id(found.contents) not in self.visited:
            # A pointer may lead to where no schema is expected, so what is there was not checked with the rest.
            jsonschema.Draft202012Validator.check_schema(found.contents)
            self.waiting.append((found.resolver, DRAFT202012.create_resource(found.contents)))
        return found.resolver, found.contents


def _within(resolver: Any, below: Any) -> tuple[Any, Any]:
    from referencing.jsonschema import DRAFT202012

    return resolver.in_subresource(DRAFT202012.create_resource(below)), below


def _bad_schema(message: str, hint: str | None = None) -> InvalidDefinition:
    return InvalidDefinition(f"not a usable JSON Schema: {message}", code="bad_option", hint=hint)
