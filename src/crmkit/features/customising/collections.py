"""Custom fields and objects as a person types against them: ``me.fields``, ``me.objects``."""

from typing import Any

import attrs

from crmkit.features.customising.commands import AddField, AddObject, ChangeField, RemoveField
from crmkit.kernel.session.unit_of_work import Work
from crmkit.records import CustomField, CustomObject
from crmkit.schema import Field

__all__ = ["Fields", "Objects"]


@attrs.frozen
class Fields:
    """``me.fields``: the custom fields of the tenant."""

    session: Work

    def add(self, on: str, key: str, type: Any, **options: Any) -> CustomField:
        """Add a field; see ``crmkit.features.customising.commands.AddField``."""
        made: CustomField = self.session.do(AddField(on, key, type, **options))
        return made

    def change(self, on: str, key: str, type: Any = None, **options: Any) -> CustomField:
        """Change a field; see ``crmkit.features.customising.commands.ChangeField``."""
        changed: CustomField = self.session.do(ChangeField(on, key, type, **options))
        return changed

    def remove(self, on: str, key: str) -> None:
        """Remove a field; see ``crmkit.features.customising.commands.RemoveField``."""
        self.session.do(RemoveField(on, key))

    def list(self, on: str) -> tuple[Field, ...]:
        """The custom fields of a record type, as far as the actor may read any of them. Raises NotFound."""
        record_type, guard = self.session.type_of(on), self.session.view.guard
        return tuple(f for f in record_type.custom if guard.field(record_type.key, f.key) is not False)


@attrs.frozen
class Objects:
    """``me.objects``: the record types the tenant made."""

    session: Work

    def add(self, key: str, *, plural: str, label: str) -> CustomObject:
        """Add a record type; see ``crmkit.features.customising.commands.AddObject``."""
        made: CustomObject = self.session.do(AddObject(key, plural, label))
        return made
