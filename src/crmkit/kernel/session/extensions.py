"""What plugins add to sessions and to collections."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from crmkit.errors import InvalidDefinition
from crmkit.values.text import shown

__all__ = ["Extensions"]

_EVERY_TYPE = "*"


@attrs.frozen
class Extensions:
    """``attributes`` of sessions by name, and by record type the classes whose methods its collection has as well."""

    attributes: Mapping[str, Callable[[Any], Any]]
    _collections: Mapping[str, tuple[type[Any], ...]]

    @classmethod
    def of(cls, attributes: Iterable[Any], collections: Iterable[Any], types: Iterable[str]) -> "Extensions":
        """From the answers of plugins; ``types`` are the keys of record types.

        Raises InvalidDefinition for what is no pair, two attributes of one name, and a type that is not declared.
        """
        named: dict[str, Callable[[Any], Any]] = {}
        for name, make in map(_pair, attributes):
            if name in named or not (isinstance(name, str) and name.isidentifier() and callable(make)):
                raise _refused(f"{shown(name)} cannot be an attribute of sessions", "a free name, and a function")
            named[name] = make
        classes: dict[str, tuple[type[Any], ...]] = {}
        known = {_EVERY_TYPE, *types}
        for key, found in map(_pair, collections):
            if key not in known or not isinstance(found, type):
                raise _refused(f"{shown(key)} cannot have a collection", "the key of a record type, and a class")
            classes[key] = (*classes.get(key, ()), found)
        return cls(named, classes)

    def collection_class(self, type_key: str, base: type[Any]) -> type[Any]:
        """The class of a type's collections: ``base`` with everything that plugins add."""
        added = (*self._collections.get(type_key, ()), *self._collections.get(_EVERY_TYPE, ()))
        return type(base.__name__, added, {"__slots__": (), "__module__": base.__module__}) if added else base


def _pair(given: Any) -> tuple[Any, Any]:
    if isinstance(given, tuple) and len(given) == 2:
        return given
    raise _refused(f"{shown(given)} is no pair", "a name and what it stands for")


def _refused(message: str, hint: str) -> InvalidDefinition:
    return InvalidDefinition(message, code="bad_extension", hint=hint)
