"""What the codes of HTTP and SMTP say of a notification: come again, this one is not taken, or none is."""

from __future__ import annotations

PASSING = frozenset({408, 409, 423, 425, 429})  # of HTTP, and all from 500
# About what was sent. The others of 4xx are about who sends, or where to: 401, 403, 404, 405, 410.
OF_THE_MESSAGE = frozenset({400, 406, 413, 414, 415, 422, 431})
# RFC 4954: about who sends. Other 5xx are about the message: a filter of spam, its size, what is in it.
SMTP_OF_THE_SENDER = frozenset({530, 534, 535, 538})
