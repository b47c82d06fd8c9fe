"""Fetches what the live map's land is drawn with: MapLibre GL JS and its licence, by npm.

    python tools/map_library.py src/vigie/dashboard/static

The file is named by its version, so that no browser keeps an older one. It is the build that is one script, its worker
within: decision 0024. What npm fetched is held against the digest here.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

VERSION = "5.24.1"
SHA512 = "HyiYBwtsbk3L1n1EPLJHWqdoyMiF80n7tEYXFZyu2m1TjvaNx6KMLiFeDdmszt1/mq2zvsR1TJuX/NMu5BonXQ=="


def fetched() -> bytes:
    """The package, as the registry has it."""
    with tempfile.TemporaryDirectory(prefix="vigie-map-") as folder:
        subprocess.run(
            ["npm", "pack", "--silent", "--pack-destination", folder, f"maplibre-gl@{VERSION}"],
            check=True,
            capture_output=True,
        )
        [package] = Path(folder).glob("*.tgz")
        found = package.read_bytes()
    digest = base64.b64encode(hashlib.sha512(found).digest()).decode()
    if digest != SHA512:
        raise SystemExit(f"maplibre-gl {VERSION} is another package than it was: its SHA-512 is {digest}")
    return found


def write(package: bytes, static: Path) -> None:
    """The script and its licence; versions before it go."""
    with tarfile.open(fileobj=io.BytesIO(package)) as files:

        def text(name: str) -> str:
            found = files.extractfile(f"package/{name}")
            assert found is not None
            return found.read().decode()

        script, licence = text("dist/maplibre-gl.js"), text("LICENSE.txt")
    for old in static.glob("maplibre-gl-*"):
        old.unlink()
    script = re.sub(r"\n//# sourceMappingURL=.*\s*$", "\n", script)
    (static / f"maplibre-gl-{VERSION}.js").write_text(script)
    lines = "\n".join(line.rstrip() for line in licence.rstrip().splitlines())
    (static / "maplibre-gl-LICENSE.txt").write_text(f"{lines}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("static", type=Path, help="where the files go")
    write(fetched(), parser.parse_args().static)


if __name__ == "__main__":
    main()
