// A field that finds an aircraft by callsign or address: a combobox, by keyboard as by pointer.

import { make, uniqueId } from "./dom.js";
import { callsign, known } from "./words.js";

const MOST = 8;

// The aircraft that begin with what was typed, then those that have it somewhere; by callsign.
export function matches(snapshot, typed, most = MOST) {
  const wanted = typed.trim().toLowerCase();
  if (!wanted) return [];
  const [first, rest] = [[], []];
  for (let at = 0; at < snapshot.count; at++) {
    const [name, icao24] = [(snapshot.callsign[at] ?? "").toLowerCase(), snapshot.icao24[at].toLowerCase()];
    if (name.startsWith(wanted) || icao24.startsWith(wanted)) first.push(at);
    else if (name.includes(wanted) || icao24.includes(wanted)) rest.push(at);
  }
  const byName = (one, other) => known(snapshot.callsign[one]).localeCompare(known(snapshot.callsign[other]));
  return [...first.sort(byName), ...rest.sort(byName)].slice(0, most);
}

export class Search {
  options = [];
  active = -1;

  // `snapshot()` is the newest, `choose(icao24)` is called with what was picked.
  constructor({ snapshot, choose }) {
    Object.assign(this, { snapshot, choose });
    const [id, listId] = [uniqueId("search"), uniqueId("list")];
    this.input = make("input", "vigie-map-input", {
      id, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", placeholder: "Callsign or ICAO address",
      "aria-expanded": "false", "aria-controls": listId, "aria-autocomplete": "list",
      oninput: () => this.open(), onkeydown: (event) => this.press(event), onblur: () => this.close(),
    }); // prettier-ignore
    this.list = make("ul", "vigie-map-options vigie-map-panel", { id: listId, role: "listbox", "aria-label": "Aircraft" });
    this.list.hidden = true;
    const label = make("label", "vigie-map-label", { for: id, text: "Find an aircraft" });
    this.element = make("div", "vigie-map-search", {}, label, this.input, this.list);
  }

  open() {
    const snapshot = this.snapshot();
    const found = matches(snapshot, this.input.value);
    this.options = found.map((at) => snapshot.icao24[at]);
    const empty = this.input.value.trim() && !found.length;
    this.list.replaceChildren(...found.map((at) => this.option(snapshot, at)));
    if (empty) this.list.append(make("li", "vigie-map-none", { text: "No aircraft of that name", role: "option", "aria-disabled": "true" }));
    this.list.hidden = !found.length && !empty;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.mark(found.length ? 0 : -1);
  }

  option(snapshot, at) {
    const icao24 = snapshot.icao24[at];
    const option = make("li", "vigie-map-option", { id: uniqueId("option"), role: "option" });
    option.append(
      make("strong", "", { text: callsign(snapshot.callsign[at]) }),
      make("span", "", { text: `${icao24}, ${known(snapshot.country.of(at))}` }),
    );
    option.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.pick(icao24);
    });
    return option;
  }

  mark(active) {
    this.active = active;
    [...this.list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === active)));
    const id = this.list.children[active]?.id;
    if (id && active >= 0) this.input.setAttribute("aria-activedescendant", id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  press(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (this.list.hidden) this.open();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (this.options.length) this.mark((this.active + step + this.options.length) % this.options.length);
    } else if (event.key === "Enter" && this.options[this.active] !== undefined && !this.list.hidden) {
      this.pick(this.options[this.active]);
    } else if (event.key === "Escape" && !this.list.hidden) {
      this.close();
      event.stopPropagation();
    } else return;
    event.preventDefault();
  }

  pick(icao24) {
    this.input.value = "";
    this.close();
    this.choose(icao24);
  }

  close() {
    this.list.hidden = true;
    this.options = [];
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}
