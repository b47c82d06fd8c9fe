// Which colour an aircraft has, by phase or by altitude; the colours themselves are the server's.

import { make, uniqueId } from "./dom.js";
import { word } from "./words.js";

export const MODES = { phase: "Phase", altitude: "Altitude" };
const TICKS = 4;

// The colour of each aircraft of a snapshot.
export function colouring(snapshot, mode, look) {
  const { names, numbers } = snapshot.phase ?? { names: [], numbers: [] };
  const ofPhase = names.map((name) => look.phases[name] ?? look.unknown);
  const { colours, highest_m: highest } = look.altitudes;
  return Array.from({ length: snapshot.count }, (_, at) => {
    if (mode === "phase") return ofPhase[numbers[at]] ?? look.unknown;
    const share = snapshot.altitude[at] / highest;
    if (!Number.isFinite(share)) return look.unknown;
    return colours[Math.min(colours.length - 1, Math.max(0, Math.floor(share * colours.length)))];
  });
}

function swatch(colour) {
  const spot = make("span", "vigie-map-swatch");
  spot.style.background = colour;
  return spot;
}

function item(colour, text) {
  return make("li", "", {}, swatch(colour), make("span", "", { text }));
}

export class Legend {
  constructor({ mode, look, turned }) {
    this.turned = turned;
    const name = uniqueId("colour");
    this.keys = make("div", "vigie-map-keys");
    const choices = Object.entries(MODES).map(([value, text]) => {
      const radio = make("input", "", { type: "radio", name, value, onchange: () => turned(value) });
      radio.checked = value === mode;
      return make("label", "vigie-map-choice", {}, radio, make("span", "", { text }));
    });
    const switching = make(
      "fieldset", "vigie-map-modes", {}, make("legend", "vigie-map-label", { text: "Colour by" }), ...choices,
    ); // prettier-ignore
    this.element = make("div", "vigie-map-legend vigie-map-panel", {}, switching, this.keys);
    this.show(mode, look);
  }

  show(mode, look) {
    const shown = JSON.stringify([mode, look]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.keys.replaceChildren(mode === "phase" ? this.phases(look) : this.altitudes(look));
  }

  phases(look) {
    const items = Object.entries(look.phases).map(([phase, colour]) => item(colour, word(phase)));
    return make("ul", "vigie-map-list", {}, ...items);
  }

  altitudes({ altitudes: { colours, highest_m: highest }, unknown }) {
    const bar = make("div", "vigie-map-bar");
    const share = 100 / colours.length;
    const stops = colours.map((colour, at) => `${colour} ${at * share}% ${(at + 1) * share}%`);
    bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    const marks = Array.from({ length: TICKS + 1 }, (_, at) => (highest / TICKS) * at);
    const texts = marks.map((mark) => make("span", "", { text: mark.toLocaleString("en-US") }));
    const scale = make("div", "vigie-map-ticks", {}, ...texts);
    const title = make("span", "vigie-map-unit", { text: "Altitude (m)" });
    const rest = make("ul", "vigie-map-list", {}, item(unknown, "Unknown"));
    return make("div", "", {}, make("div", "vigie-map-scaled", {}, title, bar, scale), rest);
  }
}
