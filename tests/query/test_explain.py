"""An explanation shows which clauses held, in the words they were asked in, and nothing else."""

from hypothesis import given

from crmkit.query import F, in_segment, me
from crmkit.query.explain import Explanation, explain
from crmkit.query.nodes import FALSE, TRUE, And, Expr, Not, Or, SharedWith, Within, holds
from crmkit.query.text import parse
from crmkit.values import Money
from tests.query.memory import Session, unless_too_large
from tests.query.strategies import SCHEMA, PlainGuard, cases
from tests.query.test_meaning import session_of
from tests.query.worlds import DictWorld, entry, record_id

S = SCHEMA.schema
ANA, BOB, ACME = record_id(S, "user", 0), record_id(S, "user", 1), record_id(S, "account", 0)
WORLD = DictWorld(
    S,
    (
        entry(S, "account", 0, name="ACME", industry="steel", owner=BOB),
        entry(S, "deal", 0, name="Rollout", outcome="open", amount=Money(5000, "EUR"), account=ACME, owner=ANA),
    ),
)
ACTORS = {"me": (ANA,), "my_team": (), "my_team_and_below": ()}
DEAL = WORLD.all("deal")[0]


def explained(expr: Expr | str, **surroundings) -> Explanation:
    return Session(WORLD, actors=ACTORS, **surroundings).explain(
        parse(expr) if isinstance(expr, str) else expr, "deal", DEAL
    )


def clauses(explanation: Explanation) -> list[str]:
    return [explanation.text, *(text for child in explanation.children for text in clauses(child))]


def test_a_tree_is_drawn_with_a_mark_for_each_clause():
    text = """
        amount > money(10000, "EUR") and (outcome == "open" or "vip" in account.tags)
        and loss_reason != "price" and not (any(activities) or name.contains("roll"))
    """
    assert str(explained(text)).splitlines() == [
        "✗ and",
        '  ✗ amount > money("10000.00", "EUR")',
        "  ✓ or",
        '    ✓ outcome == "open"',
        '    ✗ "vip" in account.tags',
        '  ? loss_reason != "price"',
        "  ✗ not",
        "    ✓ or",
        "      ✗ any(activities)",
        '      ✓ name.contains("roll")',
    ]


def test_a_clause_is_one_line_with_its_answer():
    assert explained("owner == me") == Explanation("owner == me", True)
    assert explained("account is not None") == Explanation("account is not None", True)
    assert explained("outcome not in ['won']") == Explanation('outcome not in ["won"]', True)
    assert explained("count(activities) > 2") == Explanation("count(activities) > 2", False)
    assert str(explained("probability > 5")) == "? probability > 5"


def test_what_is_asked_of_another_record_is_explained_there():
    assert str(explained("within(account, industry == 'steel' and headcount > 5)")).splitlines() == [
        "✗ within(account)",
        "  ? and",
        '    ✓ industry == "steel"',
        "    ? headcount > 5",
    ]
    assert explained("within(contact, true)") == Explanation("within(contact)", False)
    assert str(explained(holds(F.probability > 5))).splitlines() == ["✗ holds", "  ? probability > 5"]


def test_a_segment_is_opened():
    segments = {"big": ("deal", (F.amount > Money(1, "EUR")) & (F.outcome == "won"))}
    assert str(explained(in_segment("big") | (F.owner == me), segments=segments.get)).splitlines() == [
        "✓ or",
        '  ✗ in_segment("big")',
        "    ✗ and",
        '      ✓ amount > money("1.00", "EUR")',
        '      ✗ outcome == "won"',
        "  ✓ owner == me",
    ]


def test_conditions_that_lifting_flattens_are_explained_flat():
    nested = And((F.owner == me, And((TRUE, Or((F.outcome == "won",)))), Or(())))
    assert clauses(explained(nested)) == ["and", "owner == me", "true", 'outcome == "won"', "false"]
    assert explained(And((F.owner == me,))) == Explanation("owner == me", True)


def test_the_rules_of_rights_are_not_shown():
    guard = PlainGuard(
        {"account": F.industry == "secret steel"}, {("deal", "amount"): F.loss_reason == "secret price"}, ACTORS
    )
    shown = explained(
        (F.amount > Money(1, "EUR")) & (F.account.name == "ACME") & Within(F.account, F.name == "ACME"), guard=guard
    )
    assert "secret" not in str(shown)
    assert clauses(shown) == ["and", 'amount > money("1.00", "EUR")', 'account.name == "ACME"', "within(account)"]
    assert [child.held for child in shown.children] == [None, None, False]


def test_values_of_the_record_are_not_shown():
    guard = PlainGuard({}, {("deal", "amount"): FALSE}, ACTORS)
    shown = str(explained("name != 'x' and outcome == 'won'", guard=guard))
    assert "Rollout" not in shown
    assert "5000" not in shown
    assert "open" not in shown


def test_without_an_expression_only_the_answer_is_shown():
    bound, context = Session(WORLD, actors=ACTORS).bound(F.owner == me, "deal")
    assert explain(bound, None, DEAL, context) == Explanation("a condition without text", True)
    assert explained(SharedWith(("read",))).text == "a condition without text"


def test_a_long_list_is_cut():
    shown = explained(F.name.is_in([f"number {n}" for n in range(1_000)]))
    assert len(shown.text) < 400
    assert shown.text.endswith("…")
    assert shown.held is False


@given(cases())
def test_an_explanation_says_what_the_condition_says(case):
    """Every node is answered as its own clause would be, and answers follow from those of the children."""
    session = session_of(case)
    for on, expr in case.questions:
        bound, context = unless_too_large(lambda on=on, expr=expr: session.bound(expr, on))
        for row in case.world.all(on):
            shown = explain(bound, expr, row, context, session.segments)
            assert shown.held is bound.test(context, row)
            check(shown)
            str(shown).encode()


def check(shown: Explanation) -> None:
    held = [child.held for child in shown.children]
    for child in shown.children:
        check(child)
    match shown.text:
        case "and":
            assert shown.held is (False if False in held else None if None in held else True)
        case "or":
            assert shown.held is (True if True in held else None if None in held else False)
        case "not":
            assert shown.held is (None if held == [None] else not held[0])
        case "holds":
            assert shown.held is (held == [True])
        case text if text.startswith("within("):
            assert shown.held is (held == [True])
        case text if text.startswith("in_segment("):
            assert held in ([], [shown.held])


def test_not_is_kept_apart_from_what_it_negates():
    assert str(explained(Not(Not(F.owner == me)))).splitlines() == ["✓ not", "  ✗ not (owner == me)"]
