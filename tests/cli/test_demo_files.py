"""How the demo reads names that are not quite those it knows."""

import pytest

from crmkit.cli.demo.files import Matcher, blanks, rows_of, strange_words


def matcher(*names: str) -> Matcher[str]:
    return Matcher("product", "products.csv", {name: name.upper() for name in names})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("GTX Pro", "GTX PRO"),
        ("GTXPro", "GTX PRO"),
        ("gtx-pro", "GTX PRO"),
        ("GTX Plus Porr", "GTX PLUS PRO"),
        ("电脑", None),
        ("", None),
    ],
)
def test_a_name_stands_for_the_closest_known_one(written: str, meant: str | None) -> None:
    assert matcher("GTX Pro", "GTX Plus Pro").find(written) == meant


def test_every_name_that_is_not_exact_is_a_fault_with_what_was_made_of_it() -> None:
    products = matcher("GTX Pro", "MG Special")
    for name in ("GTX Pro", "GTXPro", "GTXPro", "电脑", ""):
        products.find(name)
    faults = list(products.faults("deals.csv", "deals"))
    assert [(fault.value, fault.rows) for fault in faults] == [("GTXPro", 2), ("电脑", 1)]
    assert [str(fault).partition("; ")[2] for fault in faults] == ["matched to 'GTX Pro'", "kept without a product"]


def test_a_file_without_faults_has_none() -> None:
    rows = [{"sector": "retail"}, {"sector": "medical"}]
    assert list(strange_words("a.csv", rows, "sector", ("retail", "medical"))) == []
    assert list(blanks("a.csv", rows, "sector", "rows have none")) == []
    assert list(matcher("GTX Pro").faults("a.csv", "deals")) == []


def test_a_strange_word_like_no_other_is_reported_without_a_guess() -> None:
    (fault,) = strange_words("a.csv", [{"sector": "零售"}], "sector", ("retail",))
    assert str(fault) == "sector '零售' in 1 of 1 rows of a.csv; kept as it is"


def test_the_files_are_in_the_package_with_a_note_of_their_source() -> None:
    from importlib.resources import files

    counts = {name: len(rows_of(f"{name}.csv")) for name in ("sales_pipeline", "accounts", "products", "sales_teams")}
    assert counts == {"sales_pipeline": 8_800, "accounts": 85, "products": 7, "sales_teams": 35}
    source = files("crmkit.cli").joinpath("demo_data", "SOURCE.md").read_text(encoding="utf-8")
    assert "Licence" in source
