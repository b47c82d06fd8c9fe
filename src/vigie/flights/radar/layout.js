// What a map is made of, and where it stands: land, aircraft, and the panels above them.

import { AircraftLayer } from "./aircraft_layer.js";
import { Card, Tooltip } from "./card.js";
import { Legend } from "./colours.js";
import { make, say } from "./dom.js";
import { Search } from "./search.js";

const STYLED = ["paper", "ink", "quiet", "line", "accent", "sea"];

function zooms(radar) {
  const button = (text, label, does, own = "") =>
    make("button", `vigie-map-icon ${own}`, { type: "button", "aria-label": label, title: label, text, onclick: does });
  return make(
    "div", "vigie-map-zooms vigie-map-panel", { role: "group", "aria-label": "Zoom" },
    button("+", "Zoom in", () => radar.zoom(1)),
    button("\u2212", "Zoom out", () => radar.zoom(-1)),
    button("", "Show all", () => radar.showAll(), "vigie-map-home"),
  ); // prettier-ignore
}

export class Layout {
  constructor(place, radar) {
    this.place = place;
    this.grounds = make("div", "vigie-map-grounds");
    this.canvas = make("canvas", "vigie-map-aircraft", { "aria-hidden": "true" });
    this.stage = make("div", "vigie-map-stage", {}, this.grounds, this.canvas);
    this.aircraft = new AircraftLayer(this.canvas, () => radar.pace.go());
    this.card = new Card({ close: () => radar.choose(null), follow: () => radar.follow(!radar.isFollowed) });
    this.tooltip = new Tooltip();
    this.search = new Search({ snapshot: () => radar.snapshot, choose: (icao24) => radar.found(icao24) });
    this.legend = new Legend({ mode: radar.mode, look: radar.look, turned: (mode) => radar.colour(mode) });
    this.sentence = make("p", "vigie-map-note vigie-map-panel", { role: "status" });
    this.sentence.hidden = true;
    const credit = make("span", "vigie-map-credit", { text: "Natural Earth" });
    const panels = [this.tooltip, this.search, this.card, this.legend].map(({ element }) => element);
    place.replaceChildren(this.stage, this.sentence, ...panels, zooms(radar), credit);
    place.onkeydown = (event) => {
      if (event.key === "Escape") radar.choose(null);
    };
  }

  size() {
    return { width: this.place.clientWidth || 1, height: this.place.clientHeight || 1 };
  }

  // A height in pixels, or in whatever CSS has ("100%"); and all colours.
  dress(height, look) {
    const { style } = this.place;
    style.setProperty("--vigie-height", typeof height === "number" ? `${height}px` : (height ?? "100%"));
    for (const part of STYLED) style.setProperty(`--vigie-${part}`, look[part]);
    this.font ??= getComputedStyle(this.place).fontFamily;
  }

  note(sentence) {
    this.sentence.hidden = !sentence;
    say(this.sentence, sentence ?? "");
  }
}
