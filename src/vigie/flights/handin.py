"""The folder that the flights document asks for: notebooks that ran on your lake, the report, and what runs it all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from vigie import notebooks, wheel
from vigie.disk import write_whole
from vigie.errors import BadSetting
from vigie.flights.report.paper import report

if TYPE_CHECKING:
    from vigie.lake import Lake
    from vigie.language import Language
    from vigie.settings import Settings

COMPOSE = "docker-compose.yml"
EXTRAS = "dashboard,elastic,kafka,notebooks,report,spark"

Say = Callable[[str], None]
LANGUAGE = re.compile(r'(LANGUAGE = \\")[a-z]{2}(\\")')  # of a notebook's pictures, in a cell as JSON has it


def handin(
    lake: Lake,
    settings: Settings,
    language: Language,
    folder: Path,
    say: Say,
    *,
    examples: Path | None = None,
) -> list[str]:
    """Gather all of it, and pack it into a ZIP beside the folder. Nothing is written before the notebooks have run.

    `examples` is where notebooks, producer and compose file lie; those of this Vigie unless said.
    """
    place = wheel.examples("flights") if examples is None else examples
    files: dict[str, bytes] = {language.of("report.pdf", "rapport.pdf"): report(lake, settings, language, say)}
    for name, text in _executed(place / "notebooks", lake, language, say):
        files[f"notebooks/{name}"] = text.encode()
    for name in ("producer.py", "dashboard", COMPOSE):
        files |= wheel.taken(place / name)
    if COMPOSE not in files and (above := place.parent.parent / COMPOSE).is_file():
        files |= wheel.taken(above)
    package, content = wheel.packed()
    files |= {package: content, "requirements.txt": _requirements(package, language).encode()}
    _write(folder, files)
    return _missing(files)


def _executed(folder: Path, lake: Lake, language: Language, say: Say) -> Iterator[tuple[str, str]]:
    found = sorted(folder.glob("*.ipynb"))
    if found:
        notebooks.check_installed()
        say(f"Running {len(found)} notebooks on the lake: a minute each, or more where it is large.")
    with TemporaryDirectory(prefix="vigie-notebooks-") as aside:
        for path in found:
            say(f"Running {path.name} ...")
            copy = Path(aside, path.name)  # what a notebook writes beside itself is not to lie among the examples
            copy.write_text(LANGUAGE.sub(rf"\g<1>{language.value}\g<2>", path.read_text()))
            yield path.name, notebooks.executed(copy, lake.root)


def _requirements(package: str, language: Language) -> str:
    said = language.of(
        "What is needed to run all of this; Vigie itself lies beside this file.\n"
        "#   pip install -r requirements.txt     in this folder, in an environment of its own",
        "Ce qu'il faut pour exécuter le tout ; Vigie se trouve à côté de ce fichier.\n"
        "#   pip install -r requirements.txt     dans ce dossier, dans un environnement à part",
    )
    return f"# {said}\n./{package}[{EXTRAS}]\n"


def _write(folder: Path, files: dict[str, bytes]) -> None:
    try:
        for name, content in files.items():
            write_whole(folder / name, content)
        packed = wheel.zipped({f"{folder.name}/{name}": content for name, content in files.items()})
        write_whole(folder.with_name(f"{folder.name}.zip"), packed)
    except OSError as problem:
        raise BadSetting(
            f"it cannot be written: {problem.strerror}", where=str(folder), do="Name another folder with --out."
        ) from problem


def _missing(files: dict[str, bytes]) -> list[str]:
    said = []
    if not any(name.endswith(".ipynb") for name in files):
        said.append("There are no notebooks in it: this Vigie does not have them yet.")
    if COMPOSE not in files:
        said.append(f"There is no {COMPOSE} in it: this Vigie does not have one yet.")
    return said
