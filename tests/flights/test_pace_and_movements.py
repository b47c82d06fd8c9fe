"""What the pace of a live feed leaves of `gold/movements`: aircraft polled as seldom as credits allow still pair up."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..reference import compare
from ..reference.tables import rows
from ..runs import Job, a_state, an_inbox

SECONDS_BETWEEN_POLLS = 648  # over France without an account, when credits are to last a day


@pytest.mark.timeout(600)
def test_movements_are_found_at_the_pace_of_who_has_no_account(tmp_path: Path) -> None:
    polls = [[a_state(number * SECONDS_BETWEEN_POLLS, latitude=44 + number)] for number in range(4)]
    inbox = an_inbox(tmp_path / "inbox", *polls)

    code, _, complained = Job(str(tmp_path / "lake"), f"inbox:{inbox}").finish()

    assert code == 0, complained
    assert rows(tmp_path / "lake", "gold/movements")["seconds"].to_list() == [648.0] * 2
    assert compare(tmp_path / "lake") == []
