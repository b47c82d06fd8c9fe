"""The commands that write papers: each parses what a person typed, calls one function, and prints."""

from __future__ import annotations

from pathlib import Path

from vigie.flags import At, HandinFolder, InLanguage, Name, ReportFile, lake_at
from vigie.language import Language
from vigie.terminal import command, put, say


@command
def report(pipeline: Name, out: ReportFile = "report.pdf", language: InLanguage = Language.EN, lake: At = None) -> None:
    """Write a report on a lake as PDF: what came in, what was found, the model, pictures of the dashboard. No Spark.

    Every number is asked of the lake's tables as it is written.

    [dim]vigie report flights --out report.pdf[/dim]
    [dim]vigie report flights --language fr --out rapport.pdf --lake ./lake[/dim]
    """
    from vigie import papers
    from vigie.pipeline import load
    from vigie.settings import read_settings

    writer = papers.papers_of(load(pipeline).name)
    path, place = Path(out).expanduser(), lake_at(lake)
    papers.check_file(path)
    papers.write(path, writer.report(place, read_settings(), language, say))
    put(f"The report is in {path}.")


@command
def handin(pipeline: Name, out: HandinFolder = "handin", language: InLanguage = Language.EN, lake: At = None) -> None:
    """Gather what is handed in: notebooks run on your lake, the report, what to install; in a folder and as a ZIP.

    [dim]vigie handin flights --out handin --language fr[/dim]
    """
    from vigie import papers
    from vigie.pipeline import load
    from vigie.settings import read_settings

    writer = papers.papers_of(load(pipeline).name)
    folder, place = Path(out).expanduser(), lake_at(lake)
    papers.check_folder(folder)
    missing = writer.handin(place, read_settings(), language, folder, say)
    put(f"It is in {folder}, and packed in {folder.with_name(folder.name + '.zip')}.")
    for said in missing:
        put(said)
