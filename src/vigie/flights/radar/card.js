// All about the aircraft that a person chose, and the few words beside the one under the pointer.

import { make, say } from "./dom.js";
import { callsign, clock, degrees, kmh, known, metres, position, rate, word } from "./words.js";

const NOT_HEARD = "Not heard in the last minute.";

function rows(snapshot, at, now, zone) {
  const ago = Math.max(0, Math.round(now - snapshot.heard[at]));
  return {
    "ICAO address": snapshot.icao24[at],
    Country: known(snapshot.country.of(at)),
    Phase: word(snapshot.phase.of(at)),
    Altitude: metres(snapshot.altitude[at]),
    Speed: kmh(snapshot.speed[at]),
    "Vertical rate": rate(snapshot.climb[at]),
    Heading: degrees(snapshot.heading[at]),
    Position: position(snapshot.lon[at], snapshot.lat[at]),
    Class: known(snapshot.aircraftClass.of(at)),
    Heard: clock(snapshot.heard[at], zone),
    "Last report": ago < 600 ? `${ago} s ago` : `${Math.round(ago / 60).toLocaleString("en-US")} min ago`,
  };
}

export class Card {
  values = new Map();

  constructor({ close, follow }) {
    this.title = make("h3", "vigie-map-title");
    this.closing = make("button", "vigie-map-icon", { type: "button", "aria-label": "Close", text: "\u00d7", onclick: close });
    this.list = make("dl", "vigie-map-facts");
    this.gone = make("p", "vigie-map-gone", { text: NOT_HEARD });
    this.following = make("button", "vigie-map-button", {
      type: "button", "aria-pressed": "false", text: "Follow", onclick: follow,
    }); // prettier-ignore
    this.element = make(
      "section", "vigie-map-card vigie-map-panel", { "aria-label": "The chosen aircraft" },
      make("header", "vigie-map-head", {}, this.title, this.following, this.closing), this.gone, this.list,
    ); // prettier-ignore
    this.element.hidden = true;
  }

  show(chosen, { snapshot, index, now, zone, isFollowed }) {
    this.element.hidden = chosen === null;
    if (chosen === null) return;
    const at = index.get(chosen);
    const isHeard = at !== undefined;
    say(this.title, isHeard ? callsign(snapshot.callsign[at]) : chosen);
    this.gone.hidden = isHeard;
    this.list.hidden = this.following.hidden = !isHeard;
    this.following.setAttribute("aria-pressed", String(isFollowed));
    say(this.following, isFollowed ? "Following" : "Follow");
    if (isHeard) for (const [name, text] of Object.entries(rows(snapshot, at, now, zone))) say(this.value(name), text);
  }

  // How far the map must go for a point of it to come out from below the card, in pixels.
  covering(x, y) {
    const [top, left] = [this.element.offsetTop, this.element.offsetLeft];
    const isCovered = !this.element.hidden && y > top && x > left && y < top + this.element.offsetHeight;
    if (!isCovered) return [0, 0];
    return left > 40 ? [x - left / 2, 0] : [0, y - top / 2];
  }

  value(name) {
    if (!this.values.has(name)) {
      const value = make("dd", "");
      this.list.append(make("div", "", {}, make("dt", "", { text: name }), value));
      this.values.set(name, value);
    }
    return this.values.get(name);
  }
}

export class Tooltip {
  name = make("strong", "");
  facts = make("span", "");
  element = make("div", "vigie-map-tooltip vigie-map-panel", { role: "tooltip" }, this.name, this.facts);

  constructor() {
    this.element.hidden = true;
  }

  show(at, x, y, { snapshot, size }) {
    this.element.hidden = at === undefined;
    if (at === undefined) return;
    say(this.name, callsign(snapshot.callsign[at]));
    say(this.facts, `${word(snapshot.phase.of(at))}, ${metres(snapshot.altitude[at])}, ${kmh(snapshot.speed[at])}`);
    const isRight = x > size.width / 2;
    this.element.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px) translate(${
      isRight ? "calc(-100% - 14px)" : "14px"
    }, -50%)`;
  }
}
