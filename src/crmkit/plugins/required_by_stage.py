"""Fields a deal must have in a stage: the tenant names them on the stage, and no road into the stage goes round it."""

from collections.abc import Mapping
from typing import Any

from crmkit.sdk import Change, Veto, hookimpl

__all__ = ["concerned", "crmkit_before_change", "listens_to", "name"]

name = "required_by_stage"
listens_to = ("deal",)


@hookimpl
def crmkit_before_change(session: Any, changes: tuple[Change, ...]) -> list[Veto] | None:
    """Refuses a deal in a stage whose required fields it lacks."""
    demands = {
        stage.id: (stage.name, tuple(stage.required_fields))
        for stage in session.configuration("stage")
        if stage.required_fields
    }
    if not demands:
        return None
    return [veto for change in changes if (veto := _veto(change, demands)) is not None]


def concerned(values: Mapping[str, Any]) -> bool:
    """Only a change of stage, or a value taken away, can leave a deal without what its stage needs."""
    return "stage" in values or None in values.values()


def _veto(change: Change, demands: dict[Any, tuple[str, tuple[str, ...]]]) -> Veto | None:
    if change.kind == "delete" or change.values["stage"] not in demands:
        return None
    name, fields = demands[change.values["stage"]]
    missing = [key for key in fields if change.values.get(key) is None]
    if not missing:
        return None
    return Veto(
        change.row,
        f"the stage {name} needs {', '.join(missing)}",
        missing[0],
        "required_by_stage",
        "give it in the same change",
    )
