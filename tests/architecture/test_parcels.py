"""What pytest-xdist's workers share, and what stays in one of them."""

from tests.parcels import PARCEL, parcels


def test_tests_of_one_file_go_in_parcels() -> None:
    ids = [f"tests/values/test_money.py::test_sum[{n}]" for n in range(2 * PARCEL + 1)]
    others = ["tests/values/test_ids.py::test_one", "tests/values/test_ids.py::test_two"]
    found = parcels([*ids, *others])
    assert list(found) == [*ids, *others]
    assert [len({found[test] for test in some}) for some in (ids, ids[:PARCEL], ids[-1:], others)] == [3, 1, 1, 1]
    assert found[others[0]] not in {found[test] for test in ids}


def test_the_examples_of_a_page_stay_together() -> None:
    pages = [f"docs/{page}.md::line:{line},column:1" for page in ("cli", "index") for line in range(30)]
    assert set(parcels(["README.md::line:8,column:1", *pages]).values()) == {
        "README.md",
        "docs/cli.md",
        "docs/index.md",
    }


def test_the_demo_is_loaded_in_one_worker_for_each_database() -> None:
    figures, command = "tests/cli/test_demo_figures.py::test_value", "tests/cli/test_demo_command.py::test_tables"
    found = parcels([f"{figures}[sqlite]", f"{figures}[postgresql-x]", f"{figures}[sqlite-x]", f"{command}[60]"])
    assert list(found.values()) == ["the demo", "the demo on PostgreSQL", "the demo", "the demo"]


def test_databases_that_are_prepared_once_stay_in_one_worker() -> None:
    ids = [f"tests/integration/test_kill.py::test_all[{kind}-{n}]" for kind in ("sqlite", "postgresql") for n in "abc"]
    assert len(set(parcels(ids).values())) == 2
