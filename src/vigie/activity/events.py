"""What the simulated users do on the site: which action comes on which page, and what led there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Bools = NDArray[np.bool_]

ACTIONS = (b"view", b"click", b"search", b"add_to_cart", b"purchase", b"login", b"logout")
VIEW, CLICK, SEARCH, ADD, PURCHASE, LOGIN, LOGOUT = range(len(ACTIONS))
CHANCES = (0.53, 0.27, 0.11, 0.06, 0.03)  # of the first five
SIGN_IN, SIGN_OUT = 0.3, 0.5  # shares of visits
PRODUCTS, ARTICLES = 150, 25
BOT_PAGES = 3  # that a bot knows

FIXED = (b"/search", b"/checkout", b"/login", b"/logout")
SEARCHED, PAID, SIGNED_IN, SIGNED_OUT = range(len(FIXED))
SEEN = (
    b"/",
    b"/products",
    b"/help",
    *(b"/products/%d" % number for number in range(1, PRODUCTS + 1)),
    *(b"/blog/%d" % number for number in range(1, ARTICLES + 1)),
)
PAGES = (*FIXED, *SEEN)
FIRST_PRODUCT = len(FIXED) + 3
# The first pages of each kind are seen most: a share that falls with the rank.
POPULARITY = np.concatenate([[18.0, 8.0, 2.0], 40 / np.arange(2, PRODUCTS + 2) ** 0.9, 6 / np.arange(2, ARTICLES + 2)])
UPTO = np.cumsum(POPULARITY) / POPULARITY.sum()
ACTION_UPTO = np.cumsum(CHANCES)


def pages_of_bots(users: int, rng: np.random.Generator) -> Indices:
    """The few pages that each would know if it were a bot."""
    pages: Indices = rng.integers(FIRST_PRODUCT, FIRST_PRODUCT + PRODUCTS, (users, BOT_PAGES))
    return pages


class Clicks:
    """Where each user stands: on which page, signed in or not, with something in the cart or nothing."""

    def __init__(self, users: int, rng: np.random.Generator, is_bot: Bools, bot_pages: Indices) -> None:
        self._rng = rng
        self._is_bot = is_bot
        self._bot_pages = bot_pages
        self._page = np.full(users, len(FIXED))
        self._signed_in, self._has_cart = np.zeros((2, users), bool)

    def of(self, who: Indices, starts: Bools, ends: Bools) -> tuple[list[bytes], list[bytes], list[bytes]]:
        """The actions, pages and referrers of the next event of each of these users."""
        draw = self._rng.random((3, len(who)))
        before = self._page[who]
        self._has_cart[who[starts]] = self._signed_in[who[starts]] = False
        action = self._actions(who, starts, ends, draw[0])
        page = self._pages(who, action, before, draw[1], draw[2])
        self._signed_in[who[action == LOGIN]] = True
        self._has_cart[who[action == ADD]] = True
        self._has_cart[who[action == PURCHASE]] = False
        self._page[who] = page
        led = zip(before.tolist(), starts.tolist(), strict=True)
        return (
            [ACTIONS[code] for code in action.tolist()],
            [PAGES[at] for at in page.tolist()],
            [b"" if begins else PAGES[at] for at, begins in led],
        )

    def _actions(self, who: Indices, starts: Bools, ends: Bools, draw: Floats) -> Indices:
        action = np.minimum(np.searchsorted(ACTION_UPTO, draw, "right"), PURCHASE)
        action[(action == PURCHASE) & ~self._has_cart[who]] = VIEW
        action[ends & self._signed_in[who] & (draw < SIGN_OUT)] = LOGOUT
        action[starts] = np.where(draw[starts] < SIGN_IN, LOGIN, VIEW)
        action[self._is_bot[who]] = VIEW
        return action

    def _pages(self, who: Indices, action: Indices, before: Indices, draw: Floats, other: Floats) -> Indices:
        seen = len(FIXED) + np.searchsorted(UPTO[:-1], draw, "right")
        product = FIRST_PRODUCT + np.floor(other * PRODUCTS).astype(np.int64)
        is_product = (before >= FIRST_PRODUCT) & (before < FIRST_PRODUCT + PRODUCTS)
        few = self._bot_pages[who, np.floor(other * BOT_PAGES).astype(np.int64)]
        page = np.select(
            [action == CLICK, action == SEARCH, action == ADD, action == PURCHASE, action == LOGIN, action == LOGOUT],
            [before, SEARCHED, np.where(is_product, before, product), PAID, SIGNED_IN, SIGNED_OUT],
            seen,
        )
        return np.where(self._is_bot[who], few, page)
