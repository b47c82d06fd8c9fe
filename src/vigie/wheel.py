"""This very Vigie as a wheel: packed from the files that run, so that somebody else installs the same."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from io import BytesIO
from pathlib import Path

from vigie.errors import BadSetting

TAKEN_ALONG = ("producer.py", "dashboard", "notebooks")  # of `examples/flights`, as pyproject.toml has it
LEFT_OUT = {"__pycache__", ".ipynb_checkpoints"}
WHEEL = "Wheel-Version: 1.0\nGenerator: vigie\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # of a ZIP: the same files make the same bytes


def examples(pipeline: str) -> Path:
    """The folder of a pipeline's examples: in the package, or beside it in a checkout."""
    inside = _package() / "examples" / pipeline
    return inside if inside.is_dir() else _package().parents[1] / "examples" / pipeline


def packed() -> tuple[str, bytes]:
    """Its name, and all of it."""
    try:
        about = distribution("vigie")
    except PackageNotFoundError as problem:
        raise BadSetting(
            "Vigie is not installed, so it cannot be packed", do="Install it: pip install --editable ."
        ) from problem
    files = _files() | _about(about)
    record = f"vigie-{about.version}.dist-info/RECORD"
    lines = [f"{name},sha256={_hash(content)},{len(content)}" for name, content in files.items()]
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    return f"vigie-{about.version}-py3-none-any.whl", zipped(files)


def zipped(files: dict[str, bytes]) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, FIRST_DAY)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return made.getvalue()


def under(folder: Path) -> dict[str, bytes]:
    """The files in a folder, by where they are in it; nothing that a run leaves behind."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not LEFT_OUT & set(path.parts)
    }


def taken(path: Path) -> dict[str, bytes]:
    """A file, or all files of a folder, by name; none when it is not there."""
    if path.is_dir():
        return {f"{path.name}/{name}": content for name, content in under(path).items()}
    return {path.name: path.read_bytes()} if path.is_file() else {}


def _files() -> dict[str, bytes]:
    """The package, with what the wheel of a checkout takes along of its examples."""
    files = {f"vigie/{name}": content for name, content in under(_package()).items()}
    for name in TAKEN_ALONG:
        found = taken(examples("flights") / name)
        files |= {f"vigie/examples/flights/{each}": content for each, content in found.items()}
    return files


def _about(about: Distribution) -> dict[str, bytes]:
    """What says what it is: its metadata, commands and licences. How this copy was installed is left out."""
    folder = f"vigie-{about.version}.dist-info"
    told = {"METADATA": about.read_text("METADATA"), "entry_points.txt": about.read_text("entry_points.txt")}
    files = {f"{folder}/{name}": text.encode() for name, text in told.items() if text}
    files[f"{folder}/WHEEL"] = WHEEL.encode()
    for path in about.files or []:
        if "licenses" in path.parts:
            files[path.as_posix()] = Path(str(path.locate())).read_bytes()
    return files


def _package() -> Path:
    return Path(__file__).parent


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
