"""What a delivery is called where it delivers to: a name that no other has, nor the same one in a lake made anew."""

from __future__ import annotations

import secrets
from pathlib import Path

from vigie.disk import write_whole


def delivery_id(name: str, folder: Path) -> str:
    """The delivery's name in its pipeline with what tells this lake from another, drawn once and kept in `folder`."""
    note = folder / "delivery"
    if not note.exists():
        write_whole(note, f"{name}-{secrets.token_hex(4)}")
    return note.read_text()
