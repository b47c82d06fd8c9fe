"""The list of functions that the embedded engine may be asked for is what a comparison with Spark finds, no more."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.conformance import compare
from tests.conformance.by_type import DIFFERS
from tests.conformance.compare import Finding
from tests.conformance.sent import sent
from vigie.engines.embedded.allowed import ALLOWED, BY_TYPE, REFUSED

# What comes out equal by chance: all rows here are in one file, and are read in their order.
BY_CHANCE = {
    "first",
    "last",
    "any_value",
    "monotonically_increasing_id",
    "spark_partition_id",
    "current_date",
    "curdate",
}
BY_CHANCE |= {"current_database", "current_schema", "unix_timestamp"}

# Under a minute of CPU for each engine, which a busy machine may spread over many.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Finding]]:
    return compare.by_name(compare.findings(tmp_path_factory.mktemp("conformance")))


def test_every_function_that_is_allowed_was_tried_and_equal(found: dict[str, list[Finding]]) -> None:
    untried = ALLOWED - found.keys()
    unequal = [each for name in ALLOWED & found.keys() for each in _unexplained(name, found[name])]

    assert (sorted(untried), _said(unequal)) == ([], "")


def test_every_function_that_was_equal_is_allowed(found: dict[str, list[Finding]]) -> None:
    equal = {name for name, tried in found.items() if all(each.verdict.is_held for each in tried)}

    assert equal - BY_CHANCE - ALLOWED == set()


def test_every_other_function_that_was_tried_is_refused_with_a_reason(found: dict[str, list[Finding]]) -> None:
    assert found.keys() - ALLOWED == {name for name in REFUSED if name in found}
    assert ALLOWED & REFUSED.keys() == set()


def test_every_name_that_the_client_sends_was_tried(found: dict[str, list[Finding]]) -> None:
    names = {name for tried in found.values() for each in tried if each.trial.is_python for name in sent(each.trial)}

    assert names - found.keys() == set()
    assert names >= {"+", "==", "and", "not", "isnotnull", "when", "in"}


def test_what_is_known_to_differ_by_type_still_does(found: dict[str, list[Finding]]) -> None:
    held = {
        _sql(each) for tried in found.values() for each in tried if each.verdict.is_held and not each.trial.is_python
    }

    assert DIFFERS.keys() <= BY_TYPE.keys() <= ALLOWED
    assert [text for texts in DIFFERS.values() for text in texts if text in held] == []


def test_nothing_is_tried_that_spark_itself_refuses(found: dict[str, list[Finding]]) -> None:
    refused = [each for tried in found.values() for each in tried if each.verdict in compare.REFUSED_BY_SPARK]

    assert _said(refused) == ""


def _unexplained(name: str, tried: Iterable[Finding]) -> list[Finding]:
    return [each for each in tried if not each.verdict.is_held and _sql(each) not in DIFFERS.get(name, ())]


def _sql(finding: Finding) -> str:
    return finding.trial.sql or finding.trial.text


def _said(findings: Iterable[Finding]) -> str:
    return "\n".join(map(str, findings))
