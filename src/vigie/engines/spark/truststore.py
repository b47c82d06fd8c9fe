"""The certificates that this Python trusts, as a file that Java trusts.

A company's proxy signs with a certificate of its own. The machine's Python is told of it (SSL_CERT_FILE, or
the system's bundle); the Java that comes with Vigie is not.
"""

from __future__ import annotations

import ssl
from hashlib import sha1
from pathlib import Path

# Java's JKS format: https://docs.oracle.com/en/java/javase/17/docs/specs/security/standard-names.html#keystore-types
MAGIC, VERSION, TRUSTED = 0xFEEDFEED, 2, 2
PASSWORD = "changeit"
SALT = b"Mighty Aphrodite"


def truststore(file: Path) -> Path | None:
    """Write the trusted certificates to `file`, or nothing when Python finds none."""
    certificates = _trusted()
    if not certificates:
        return None
    content = b"".join(_number(number, 4) for number in (MAGIC, VERSION, len(certificates)))
    for index, certificate in enumerate(certificates):
        content += _number(TRUSTED, 4) + _text(str(index)) + _number(0, 8) + _text("X.509")
        content += _number(len(certificate), 4) + certificate
    # SHA-1 is the format's, and guards against accidents alone.
    digest = sha1(PASSWORD.encode("utf-16-be") + SALT + content, usedforsecurity=False).digest()
    file.write_bytes(content + digest)
    return file


def _trusted() -> list[bytes]:
    context = ssl.create_default_context()
    folder = ssl.get_default_verify_paths().capath
    # OpenSSL reads a folder of certificates only as it needs them; this file in it holds them all.
    bundle = Path(folder or "/etc/ssl/certs") / "ca-certificates.crt"
    if bundle.is_file():
        context.load_verify_locations(cafile=bundle)
    return context.get_ca_certs(binary_form=True)


def _number(value: int, width: int) -> bytes:
    return value.to_bytes(width, "big")


def _text(value: str) -> bytes:
    return _number(len(value), 2) + value.encode()
