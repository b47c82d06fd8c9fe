"""Make an environment that holds exactly what a lock pins; what keeps it from being made is said in a sentence.

    python3 tools/install.py runtime|dev|dbt|airflow|bqemulator|bytewax|quix|pathway|flink

`runtime` and `dev` are .venv, the others stand in the cache and are linked as .venv-NAME. Nothing is resolved: uv
installs the pins of locks/NAME.lock without looking at what they ask for, and builds what has no wheel with the tools
of locks/build.lock. Where the machine has no uv, pip fetches the one of locks/uv.lock into the cache, and it alone.
Needs Python 3.11 and nothing else.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
LOCKS = HOUSE / "locks"
OURS = ("runtime", "dev")  # they hold Vigie itself, too
WITH_BUILD_TOOLS = (*OURS, "flink")  # some of what they pin has no wheel
OLDEST_UV = (0, 8)
NOT_PASSED_ON = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"}
TICK_S, QUIET_TICK_S = 1.0, 15.0
ROOM = {
    "runtime": "1.2 GB", "dev": "3.9 GB", "dbt": "0.8 GB", "airflow": "0.8 GB", "bqemulator": "0.4 GB",
    "bytewax": "0.4 GB", "quix": "0.4 GB", "pathway": "2.4 GB", "flink": "2.4 GB",
}  # fmt: skip
ASKED_FOR_BY = {"runtime": "demo", "dev": "test"} | dict.fromkeys(("dbt", "airflow", "bqemulator"), "test-servers")

# Python keeps the bytecode of what it imports: 35 MB in five seconds, where all that is installed has 170 MB.
IMPORT_ALL = """
from importlib import import_module
from pkgutil import walk_packages
import streamlit.web.cli, uvicorn, vigie
for module in walk_packages(vigie.__path__, "vigie."):
    if module.name != "vigie.fixtures":  # which asks for pytest
        import_module(module.name)
"""

NEEDED_BY_UV = 200_000_000  # bytes, to fetch uv itself

PIN = re.compile(r"^[A-Za-z0-9][\w.-]*==", re.MULTILINE)
NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded|os error (28|122)\b", re.IGNORECASE)
NO_CERTIFICATE = re.compile(r"invalid peer certificate|UnknownIssuer|CERTIFICATE_VERIFY_FAILED", re.IGNORECASE)
NO_NETWORK = re.compile(
    r"dns error|error sending request|client error \(Connect\)|connection (refused|reset)|timed? ?out|unreachable"
    r"|Network connectivity is disabled|network was disabled|NewConnectionError|NameResolutionError"
    r"|No matching distribution found for uv",
    re.IGNORECASE,
)
NO_CACHE = re.compile(r"Failed to initialize cache")
NO_INDEX = re.compile(r"was not found in the package registry|No solution found")
OTHER_HASH = re.compile(r"hash mismatch|do not match the hashes", re.IGNORECASE)


class Refused(Exception):
    """What is wrong, and the next command."""

    def __init__(self, what: str, do: str) -> None:
        super().__init__(f"{what}\n{do}")


class Failed(Exception):
    """A program ended with an error; what it said."""


def main() -> int:
    names = sorted(ROOM)
    if len(sys.argv) != 2 or sys.argv[1] not in names:
        sys.stderr.write(f"usage: python3 tools/install.py {'|'.join(names)}\n")
        return 2
    try:
        install(sys.argv[1], cache_folder())
    except Refused as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped; what was fetched is kept, and the same command goes on from there.\n")
        return 130
    return 0


def cache_folder() -> Path:
    """Where what is fetched once is kept, as for the product itself."""
    if own := os.environ.get("VIGIE_CACHE"):
        try:
            return Path(own).expanduser().absolute()
        except RuntimeError as problem:
            raise Refused(
                f"VIGIE_CACHE is {own}, and there is nobody of that name here.", "Name a folder."
            ) from problem
    return xdg_cache() / "vigie"


def xdg_cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return base if base.is_absolute() else Path.home() / ".cache"  # the XDG specification has relative paths ignored


def install(name: str, cache: Path) -> None:
    """Make the environment unless it is there as its lock asks."""
    with as_sentences(name, cache):
        if name not in OURS:
            environment = cache / "environments" / f"{name}-{digest_of(LOCKS / f'{name}.lock')[:16]}"
            made(name, environment, cache)
            link = HOUSE / f".venv-{name}"
            link.unlink(missing_ok=True)
            link.symlink_to(environment)
            return
        environment = HOUSE / ".venv"
        if name == "runtime" and noted(environment / "installed").startswith("dev "):
            name = "dev"  # it holds what runs, too, and who develops goes on doing so
        made(name, environment, cache)
        add_vigie(environment, cache)


def made(name: str, environment: Path, cache: Path) -> None:
    """See to it that the packages of a lock are there, and no others."""
    lock = LOCKS / f"{name}.lock"
    state = f"{name} {digest_of(lock)}"
    if noted(environment / "installed") == state:
        return
    with one_at_a_time(cache):
        if noted(environment / "installed") == state:
            return  # another has made it in the meantime
        uv, count = uv_program(cache), len(PIN.findall(lock.read_text()))
        with Progress(f"Installing {count} packages into {shown(environment)}") as progress, whole(environment):
            # What a killed install left could pass for installed: an environment is begun anew, packages are cached.
            run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)], progress)
            from_lock = [*pip_install(uv, environment), "--require-hashes", "--requirement"]
            if name in WITH_BUILD_TOOLS:
                run([*from_lock, str(LOCKS / "build.lock")], progress)
            all_of_it = [] if name == "runtime" else ["--compile-bytecode"]
            run([*from_lock, str(lock), *all_of_it], progress)
            (environment / "installed").write_text(state)


def add_vigie(environment: Path, cache: Path) -> None:
    """Install this checkout into its environment, again when pyproject.toml says something else of it."""
    state = digest_of(HOUSE / "pyproject.toml")
    if noted(environment / "vigie") == state:
        return
    with one_at_a_time(cache):
        run([*pip_install(uv_program(cache), environment), "--offline", "--editable", str(HOUSE)], None)
        if noted(environment / "installed").startswith("runtime "):
            doing = "Compiling what Vigie imports, so that everything starts quickly"
            with Progress(doing, "some ten seconds in all") as progress:
                run([str(environment / "bin" / "python"), "-c", IMPORT_ALL], progress)
        (environment / "vigie").write_text(state)


def pip_install(uv: str, environment: Path) -> list[str]:
    return [uv, "pip", "install", "--python", str(environment / "bin" / "python"), "--no-deps", "--no-build-isolation"]


def digest_of(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def noted(note: Path) -> str:
    """What was written down when a step was complete; nothing when it never was."""
    try:
        return note.read_text()
    except OSError:
        return ""


@contextmanager
def whole(environment: Path) -> Iterator[None]:
    """Give back the room of an environment that could not be completed."""
    try:
        yield
    except BaseException:
        shutil.rmtree(environment, ignore_errors=True)
        raise


def uv_program(cache: Path) -> str:
    """The machine's uv when it is new enough, else the pinned one in the cache, fetched once."""
    own = shutil.which("uv")
    if own and version_of(own) >= OLDEST_UV:
        return own
    lock = LOCKS / "uv.lock"
    [version] = re.findall(r"^uv==(\S+)", lock.read_text(), re.MULTILINE)
    home = cache / f"uv-{version}"
    if not (home / "bin" / "uv").exists():
        with Progress("Fetching uv, which installs packages") as progress:
            cache.mkdir(parents=True, exist_ok=True)
            for left_by_a_kill in cache.glob(".fetching-uv-*"):
                shutil.rmtree(left_by_a_kill, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-uv-") as aside:
                fetched = Path(aside) / home.name
                run([sys.executable, "-m", "venv", str(fetched)], progress)
                pip = [str(fetched / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--retries", "2"]
                run([*pip, "install", "--no-deps", "--require-hashes", "--requirement", str(lock)], progress)
                shutil.rmtree(fetched / "lib")  # the program stands alone, and pip was needed this once
                if not home.exists():  # another may have been quicker
                    fetched.rename(home)  # whole, or not at all
    return str(home / "bin" / "uv")


def version_of(uv: str) -> tuple[int, ...]:
    try:
        answer = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False)
    except OSError:  # it is no program
        return (0,)
    found = re.search(r"(\d+)\.(\d+)", answer.stdout)
    return tuple(map(int, found.groups())) if found else (0,)


def run(command: list[str], progress: Progress | None) -> None:
    """Run to its end, or Failed with what it said. A machine with certificates of its own is asked for them then, and
    one without a network for what the caches hold."""
    told = environment_of_uv()
    try:
        said(command, progress, told)
    except Failed as problem:
        if NO_CERTIFICATE.search(str(problem)):
            said(command, progress, told | {"UV_NATIVE_TLS": "1", "UV_SYSTEM_CERTS": "1"})
        elif NO_NETWORK.search(str(problem)) and Path(command[0]).name == "uv" and "UV_OFFLINE" not in told:
            try:
                said(command, progress, told | {"UV_OFFLINE": "1"})
            except Failed:
                raise problem from None  # what is wrong is the network
        else:
            raise


def environment_of_uv() -> dict[str, str]:
    """What uv is told beside its arguments: no Python of its own, and what a person has told pip of their network."""
    told = {key: value for key, value in os.environ.items() if key not in NOT_PASSED_ON}
    told |= {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    if "PIP_CERT" in told:
        told.setdefault("SSL_CERT_FILE", told["PIP_CERT"])
    if "PIP_INDEX_URL" in told and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & told.keys():
        told["UV_DEFAULT_INDEX"] = told["PIP_INDEX_URL"]
    return told


def said(command: list[str], progress: Progress | None, environment: dict[str, str]) -> None:
    lines: list[str] = []
    with subprocess.Popen(
        command,
        env=environment,
        close_fds=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if progress is not None:
                progress.heard(line.strip())
    if process.returncode < 0:
        lines.append(f"{command[0]} was ended by {signal.Signals(-process.returncode).name}\n")
    if process.returncode:
        raise Failed("".join(lines))


@contextmanager
def as_sentences(name: str, cache: Path) -> Iterator[None]:
    """Turn what programs and the system say into a sentence and the next command."""
    again = f"make {ASKED_FOR_BY.get(name, f'environment-{name}')}"
    try:
        yield
    except (Failed, OSError) as problem:
        text = str(problem)
        free, fullest = min((shutil.disk_usage(existing(place)).free, place) for place in places(cache))
        # Python's own venv does not say why it could not be made.
        if NO_ROOM.search(text) or ("ensurepip" in text and free < NEEDED_BY_UV):
            raise Refused(
                f"The disk is full: packages need up to {ROOM[name]}, and {fullest} has {free / 1e9:.1f} GB left.",
                f"Make room, or name a cache elsewhere (VIGIE_CACHE=, UV_CACHE_DIR=), then: {again}",
            ) from problem
        if NO_CACHE.search(text):
            raise Refused(
                f"The cache of packages cannot be written: {uv_cache()}",
                f"Name another (UV_CACHE_DIR=/path/to/a/folder), then: {again}",
            ) from problem
        if isinstance(problem, OSError):
            raise Refused(f"{problem.strerror}: {problem.filename}", f"Set that right, then: {again}") from problem
        if "ensurepip" in text:
            raise Refused(
                "This Python comes without venv, which makes environments.",
                f"Install it (Debian, Ubuntu: apt install python3-venv), then: {again}",
            ) from problem
        if NO_CERTIFICATE.search(text):
            raise Refused(
                "The certificate of the package index is not trusted: something between here and there may change it.",
                f"Name your organisation's certificates (SSL_CERT_FILE=/path/to/them.pem), then: {again}",
            ) from problem
        if OTHER_HASH.search(text):
            raise Refused(
                f"A package is not the one that was pinned, so it was not installed: {last_line(text)}",
                f"Ask whoever runs your package index or proxy; afterwards: {again}",
            ) from problem
        if NO_NETWORK.search(text):
            raise Refused(
                "Packages could not be fetched: the network, or the package index, does not answer.",
                f"Check the connection (behind a proxy: HTTPS_PROXY=http://HOST:PORT), then: {again}\n"
                "What was fetched so far is kept; a machine whose caches are filled needs no network.",
            ) from problem
        if NO_INDEX.search(text):
            raise Refused(
                f"The package index has not what is pinned: {last_line(text)}",
                f"Is it the right one (UV_DEFAULT_INDEX, UV_INDEX_URL, PIP_INDEX_URL)? Then: {again}",
            ) from problem
        raise Refused(f"{text.rstrip()}\nThe packages could not be installed.", f"Try once more: {again}") from problem


def last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def places(cache: Path) -> list[Path]:
    """Where an installation writes."""
    return [HOUSE, cache, uv_cache(), Path(tempfile.gettempdir())]


def uv_cache() -> Path:
    return Path(os.environ.get("UV_CACHE_DIR") or xdg_cache() / "uv")


def existing(place: Path) -> Path:
    while not place.exists():
        place = place.parent
    return place


def shown(path: Path) -> str:
    """A path as a person would write it from where they are."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path != here and path.is_relative_to(here) else str(path)


@contextmanager
def one_at_a_time(cache: Path) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "installing.lock").open("w") as file:
        os.set_inheritable(file.fileno(), True)  # what a killed installation leaves behind is waited for as well
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("Waiting for another installation to end ...\n")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Progress:
    """A line that says what is going on, and for how long: written over at a terminal, rare in a log."""

    def __init__(self, doing: str, stage: str = "asking for packages") -> None:
        self._doing = doing
        self._began = time.monotonic()
        self._fetching: dict[str, str] = {}
        self._fetched = 0
        self._stage = stage
        self._done = threading.Event()
        self._is_terminal = sys.stderr.isatty()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Progress:
        sys.stderr.write(f"{self._doing}, once ...\n")
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._done.set()
        self._thread.join()
        if kind is None:
            self._write(f"{self._doing}: done in {time.monotonic() - self._began:.0f} s")
        if self._is_terminal:
            sys.stderr.write("\n")

    def heard(self, line: str) -> None:
        """Take what uv says of its work."""
        if found := re.match(r"Downloading (\S+) \((.*)\)", line):
            self._fetching[found[1]] = found[2]
        elif found := re.match(r"Building ([\w.-]+)", line):
            self._fetching[found[1]] = "built from its source"
        elif found := re.match(r"(?:Downloaded|Built) ([\w.-]+)", line):
            self._fetched += self._fetching.pop(found[1], None) is not None
        elif line.startswith("Prepared"):
            self._fetching.clear()
            self._stage = "putting them in their place"
        elif line.startswith("Installed") and self._fetched:
            self._stage = "compiling bytecode, so that everything starts quickly"
        if self._fetching:
            waiting = ", ".join(f"{name} ({size})" for name, size in list(self._fetching.items())[:3])
            self._stage = f"{self._fetched} large ones are here, still to come: {waiting}"

    def _tick(self) -> None:
        while not self._done.wait(TICK_S if self._is_terminal else QUIET_TICK_S):
            self._write(f"{time.monotonic() - self._began:4.0f} s: {self._stage}")

    def _write(self, line: str) -> None:
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r{line[:width]:<{width}}")
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
