"""Typesetting: templates of this package, what they are told, pictures, and Typst, which brings its fonts."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from vigie.errors import BadSetting
from vigie.extras import install_extra
from vigie.language import Language

TEMPLATES = ("layout.typ", "tables.typ", "en.typ", "fr.typ")
PACKAGES = ("seaborn", "typst")
DOTS_PER_INCH = 100.0  # of a page as PNG


def check_installed() -> None:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise BadSetting(
            "what makes reports is not installed",
            where=", ".join(missing),
            do=install_extra("report", " ".join(PACKAGES)),
        )


def typeset(
    told: Mapping[str, Any],
    images: Mapping[str, bytes],
    language: Language,
    at: datetime,
    form: Literal["pdf", "png"] = "pdf",
) -> list[bytes]:
    """The report as one PDF, or as a PNG a page. `images` are files by name, which `told` refers to.

    Text in `told` is text to Typst, whatever is in it: it comes as data, and is never read as markup.
    """
    import typst

    with TemporaryDirectory(prefix="vigie-report-") as folder:
        root = Path(folder)
        for name in TEMPLATES:
            shutil.copyfile(Path(__file__).with_name(name), root / name)
        for name, image in images.items():
            (root / name).write_bytes(image)
        (root / "data.json").write_text(json.dumps(told, allow_nan=False), encoding="utf-8")
        compiler = typst.Compiler(root / f"{language}.typ", root=root, ignore_system_fonts=True)
        made = compiler.compile(format=form, timestamp=at, ppi=DOTS_PER_INCH)
    assert made is not None
    return [made] if isinstance(made, bytes) else made
