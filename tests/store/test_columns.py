"""Documents are written as compact JSON in their own script, whichever encoder Python has."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.store.tables import columns

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
UNFIT: list[tuple[Any, type[Exception]]] = [
    (float("nan"), ValueError),
    ({"备注": [1, {"deep": float("inf")}]}, ValueError),
    ([-float("inf")], ValueError),
    ({"a": object()}, TypeError),
    ({("a", "b"): 1}, TypeError),
]


@pytest.mark.law
@given(DOCUMENTS)
def test_a_document_is_written_as_the_standard_library_writes_it(document: Any) -> None:
    assert columns.to_json(document) == json.dumps(document, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(("document", "error"), UNFIT)
def test_what_is_no_json_is_refused_and_spoils_nothing(document: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        columns.to_json(document)
    assert columns.to_json({"名": ["张伟", 1, 1.5, None, True]}) == '{"名":["张伟",1,1.5,null,true]}'


def test_a_python_without_the_encoder_in_c_writes_and_refuses_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"名": ["张伟", 2**70, 1e300, -0.0, '\u2028\x01"\\', {"": []}]}
    expected = columns.to_json(document)
    monkeypatch.setattr("json.encoder.c_make_encoder", None)
    slow = columns._writer()
    assert slow(document) == expected
    for unfit, error in UNFIT:
        with pytest.raises(error):
            slow(unfit)
