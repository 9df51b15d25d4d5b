"""The linter flags the rows that are known to be wrong, for the right reason, and no others."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entityseg.published import PublishedRow, rows
from entityseg.published.intervals import Interval, most_shared, printed, share
from entityseg.published.lint import Rule, Verdict, lint
from entityseg.published.reading import all_rows
from entityseg.published.records import Relation

# Row -> (test, severity): everything that is to be found.
EXPECTED = {
    **{
        f"{table}({part})#{number}": {(Rule.repository, severity)}
        for table in ("cropformer-3", "esg-IV")
        for part, number, severity in (
            ("SEM", 4, "differs"),
            ("SEM", 5, "differs"),
            ("PAN", 5, "differs"),
            ("ENT", 4, "doubtful"),
        )
    },
    **{
        f"{table}-text#{n}": {(Rule.arithmetic, "impossible")}
        for table in ("cropformer", "esg")
        for n in (1, 2)
    },
    "esg-IX#1": {(Rule.metric_mix, "contradicted"), (Rule.transcription, "contradicted")},
    "esg-IX#7": {(Rule.contradiction, "contradicted")},
    "esg-X#2": {(Rule.transcription, "contradicted")},
    "esg-X#3": {(Rule.transcription, "contradicted"), (Rule.png_partition, "doubtful")},
    **{f"esg-X#{n}": {(Rule.png_partition, "doubtful")} for n in (6, 7, 8, 9)},
    "esg-X#10": {(Rule.png_partition, "impossible")},
    "esg-XII(b)#1": {(Rule.arithmetic, "impossible")},
    "esg-XVIII(b)#3": {(Rule.pq_bound, "impossible")},
    **{f"esg-XXI#{n}": {(Rule.png_partition, "doubtful")} for n in (1, 2, 3, 4)},
    **{f"esg-XXII#{n}": {(Rule.png_partition, "doubtful")} for n in (1, 2, 3, 4)},
    **{f"esg-XXIII#{n}": {(Rule.png_partition, "doubtful")} for n in (1, 2)},
    # Not a row of the papers; found by the same test as the others.
    "elsewhere-png#7": {(Rule.png_partition, "doubtful")},
}
PANOPTIC = rows("esg-XIII")[4]


def row(row_id: str) -> PublishedRow:
    (found,) = [each for each in all_rows() if each.id == row_id]
    return found


def only(row_id: str, rule: Rule) -> Verdict:
    (found,) = [verdict for verdict in row(row_id).verdicts if verdict.rule is rule]
    return found


def changed(base: PublishedRow, **figures: str) -> PublishedRow:
    """The row with other figures, under an id of its own."""
    values = {**base.figures, **{name: Decimal(value) for name, value in figures.items()}}
    return replace(base, id="changed#1", figures=values)


def test_exactly_the_known_rows_are_flagged() -> None:
    found: dict[str, set[tuple[Rule, str]]] = {}
    for verdict in lint(all_rows()):
        found.setdefault(verdict.row, set()).add((verdict.rule, verdict.severity))
    assert found == EXPECTED


@pytest.mark.parametrize(
    ("row_id", "things", "singular"),
    [
        ("esg-X#10", (0.32, 0.36), (1.02, 1.04)),
        ("esg-X#9", (0.39, 0.43), (0.98, 1.00)),
        ("esg-X#7", (0.39, 0.42), (0.99, 1.01)),
        ("esg-X#8", (0.40, 0.44), (0.97, 0.99)),
        ("esg-X#6", (0.67, 0.70), (0.79, 0.81)),
        ("esg-XXI#1", (0.64, 0.67), (0.83, 0.85)),
        ("esg-XXII#2", (0.42, 0.46), (0.92, 0.93)),
        ("esg-XXII#3", (0.52, 0.56), None),
        ("esg-X#3", None, (0.927, 0.948)),
    ],
)
def test_shares_of_phrases(
    row_id: str, things: tuple[float, float] | None, singular: tuple[float, float] | None
) -> None:
    found = only(row_id, Rule.png_partition).intervals
    expected = {"share of things": things, "share of singular phrases": singular}
    assert found.keys() == {name for name, pair in expected.items() if pair is not None}
    for name, pair in found.items():
        assert pair == pytest.approx(expected[name], abs=0.011)


def test_reasons_say_why() -> None:
    assert (
        "AR 71.3 lies above both AR_Sing 71.0 and AR_Pl 59.5" in only("esg-X#10", Rule.png_partition).reason
    )
    assert "89.2" in only("esg-XVIII(b)#3", Rule.pq_bound).reason
    assert "7 of 8 figures are the mIoU" in only("esg-IX#1", Rule.metric_mix).reason
    assert "65.3 (62.27)" in only("esg-IX#1", Rule.transcription).reason
    assert "AR_Pl 48.4 (48.8)" in only("esg-X#2", Rule.transcription).reason
    assert "AR_Pl 50.4 (54.0)" in only("esg-X#3", Rule.transcription).reason
    contradiction = only("esg-IX#7", Rule.contradiction)
    assert contradiction.figures == ("refcoco+-val", "refcocog-val")
    assert "With 72.6 on refcoco+-val it is above GELLA-13B (67.0), not below." in contradiction.reason
    assert "With 74.2 on refcocog-val it is above GELLA-13B (70.4), not below." in contradiction.reason
    doubt = only("esg-IV(ENT)#4", Rule.repository).reason
    assert "40.7 for the same model, here 42.9" in doubt
    assert "43.0, of CropFormer" in doubt
    assert "800 x 0.7 is 560, printed as 1040" in only("cropformer-text#1", Rule.arithmetic).reason


@pytest.mark.parametrize(
    "row_id", ["esg-IX#2", "esg-X#4", "esg-X#5", "esg-XIII#6", "esg-VIII#4", "readme-entity(H)#5"]
)
def test_clean_rows_have_no_verdict(row_id: str) -> None:
    assert row(row_id).verdicts == ()
    assert lint([row(row_id)]) == []


def test_a_row_with_its_original_figures_is_clean() -> None:
    fixed = changed(row("esg-X#3"), AR_Pl="54.0")
    assert lint([fixed]) == []
    assert fixed.verdicts == ()
    assert lint([changed(row("esg-X#2"), AR_Pl="48.8")]) == []
    assert lint([changed(row("esg-XVIII(b)#3"), PQ="89.6")]) == []
    assert lint([changed(row("esg-IV(ENT)#4"), **{"AP^e": "40.7"})]) == []
    cris = changed(row("esg-IX#1"), **{"refcoco+-val": "62.3"})
    assert [verdict.rule for verdict in lint([cris])] == [Rule.metric_mix]


def test_breaking_a_clean_row_is_found() -> None:
    assert [v.rule for v in lint([changed(PANOPTIC, PQ="64.0")])] == [Rule.pq_bound]
    assert [v.rule for v in lint([changed(PANOPTIC, PQ="46.8")])] == [Rule.pq_bound]
    assert [v.rule for v in lint([changed(row("esg-XVI(a)#1"), AP="97.1")])] == [Rule.ap_order]
    assert [v.rule for v in lint([changed(row("cropformer-8(b)#1"), **{"AP75^e": "56.9"})])] == [
        Rule.ap_order
    ]
    assert [v.rule for v in lint([changed(row("esg-VIII#1"), mean="43.29")])] == [Rule.arithmetic]
    assert [v.rule for v in lint([changed(row("esg-XII(a)#2"), all="15216")])] == [Rule.arithmetic]


def test_rounding_is_no_error() -> None:
    # The bound is 47.1; 47.0 may be 47.05, and SQ and RQ a little less than printed.
    assert lint([changed(PANOPTIC, PQ="47.0")]) == []
    assert lint([changed(PANOPTIC, PQ="63.8")]) == []
    assert lint([changed(row("esg-VIII#2"), mean="52.24")]) == []


def test_a_mean_needs_all_its_parts() -> None:
    base = row("esg-VIII#1")
    without = replace(
        base, id="changed#1", figures={"mean": Decimal(1)}, relations=(Relation("mean", "mean", ("x",)),)
    )
    assert lint([without]) == []


def test_order_of_the_rows_changes_nothing() -> None:
    forward = lint(all_rows())
    backward = lint(reversed(all_rows()))
    assert sorted(map(str, forward)) == sorted(map(str, backward))


one_decimal = st.integers(1, 999).map(lambda n: Decimal(n) / 10)


@given(one=one_decimal, other=one_decimal, weight=st.fractions(0, 1))
def test_the_true_share_is_never_excluded(one: Decimal, other: Decimal, weight: Fraction) -> None:
    whole = weight * Fraction(one) + (1 - weight) * Fraction(other)
    rounded = Decimal(round(whole * 10)) / 10
    found = share(rounded, one, other)
    if found is None:
        assert abs(one - other) <= Decimal("0.1")
    else:
        assert found.low <= weight <= found.high


@given(
    sqs=st.lists(st.fractions(Fraction(1, 2), 1), min_size=1, max_size=6),
    data=st.data(),
)
def test_true_panoptic_means_are_never_flagged(sqs: list[Fraction], data: st.DataObject) -> None:
    rqs = data.draw(st.lists(st.fractions(0, 1), min_size=len(sqs), max_size=len(sqs)))
    means = [sum(values) / len(sqs) for values in ([s * r for s, r in zip(sqs, rqs, strict=True)], sqs, rqs)]
    pq, sq, rq = (str(Decimal(round(mean * 1000)) / 10) for mean in means)
    assert lint([changed(PANOPTIC, PQ=pq, SQ=sq, RQ=rq)]) == []


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8))
def test_most_shared_by_counting_points(pairs: list[tuple[int, int]]) -> None:
    intervals = [Interval(Fraction(min(pair)), Fraction(max(pair))) for pair in pairs]
    (best,), count = most_shared([[one] for one in intervals])
    depths = [sum(one.low <= point <= one.high for one in intervals) for point in range(10)]
    assert count == max(depths)
    assert depths[int(best.low)] == depths[int(best.high)] == count


def test_printed_interval_follows_the_digits() -> None:
    assert printed(Decimal("59.70")).pair() == (59.695, 59.705)
    assert printed(Decimal(1116)).pair() == (1115.5, 1116.5)
