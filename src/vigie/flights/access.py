"""The right to ask as a user: OAuth2 client credentials become a token, which is kept while it is good."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from vigie.backoff import Setback
from vigie.errors import BadSetting
from vigie.flights.exchange import Exchange

if TYPE_CHECKING:
    from pydantic import SecretStr

EARLY = 60.0  # seconds before its end that a token is renewed, so that none ends on its way


class Token(msgspec.Struct):
    """A token server's answer; no one prints it."""

    access_token: str
    expires_in: float = 1_800.0


class Access:
    """A user's token for OpenSky."""

    def __init__(
        self, exchange: Exchange, url: str, client_id: str, secret: SecretStr, time: Callable[[], float]
    ) -> None:
        self._exchange = exchange
        self._url = url
        self._client_id = client_id
        self._secret = secret
        self._time = time
        self._token = ""
        self._good_until = 0.0

    def headers(self) -> dict[str, str]:
        """What a request needs to be a user's."""
        if self._time() >= self._good_until:
            self._renew()
        return {"Authorization": f"Bearer {self._token}"}

    def forget(self) -> None:
        """Have the next request fetch a new token: OpenSky no longer takes this one."""
        self._good_until = 0.0

    def refused(self, status: int) -> BadSetting:
        return BadSetting(
            f"OpenSky does not take this client id and secret ({status})",
            where=self._url,
            do="Set VIGIE_OPENSKY_CLIENT_ID and VIGIE_OPENSKY_CLIENT_SECRET as your OpenSky account page "
            "shows them, or neither of them: OpenSky then serves you without an account.",
        )

    def _renew(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._secret.get_secret_value(),
        }
        asked_at = self._time()
        reply = self._exchange.post(self._url, form)
        if reply.status in {400, 401, 403}:
            raise self.refused(reply.status)
        if reply.status != 200:
            raise BadSetting(
                f"OpenSky's token server answers {reply.status}",
                where=self._url,
                do="Set VIGIE_OPENSKY_TOKEN_URL to the address in OpenSky's documentation, or leave it out.",
            )
        try:
            token = msgspec.json.decode(reply.body, type=Token)
        except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
            raise Setback("its token server's answer holds no token") from problem
        # A header takes no other characters, and httpx would print the token to say so.
        if not token.access_token or not all("!" <= character <= "~" for character in token.access_token):
            raise Setback("its token server's answer holds no token")
        self._token = token.access_token
        # A token that lives shorter than that is renewed at half its life.
        self._good_until = asked_at + max(token.expires_in - EARLY, token.expires_in / 2)
