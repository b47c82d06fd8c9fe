// One live map: what it shows, what a person does to it, and its parts. A snapshot at any moment is taken whole.

import { AircraftLayer } from "./aircraft_layer.js";
import { Card, Tooltip } from "./card.js";
import { colouring, Legend } from "./colours.js";
import { make, say } from "./dom.js";
import { listen } from "./gestures.js";
import { Ground } from "./ground.js";
import { fitted, nearest, pixelsOfWorld } from "./mercator.js";
import { Motion, ServerClock } from "./motion.js";
import { Pace } from "./pace.js";
import { Search } from "./search.js";
import { decoded, NOTHING } from "./snapshot.js";

const NEAR_PX = { mouse: 14, touch: 24 };
const FOUND_ZOOM = 7; // as near as a search comes at least
const UNDRAWN = "The aircraft could not be drawn. Trying again.";
const STYLED = ["paper", "ink", "quiet", "line", "accent", "sea"];
const REDUCED = window.matchMedia("(prefers-reduced-motion: reduce)");
const here = () => performance.now() / 1_000;

// What a person did outlives the element: Streamlit may take it away and make another.
const remembered = new Map();

export class Radar {
  snapshot = NOTHING;
  motion = new Motion();
  clock = new ServerClock();
  colours = [];
  hovered = null;
  updates = 0;

  // `told` is called with the address of the aircraft that is chosen, or with nothing.
  constructor(place, data, told) {
    Object.assign(this, { place, told, look: data.look, bounds: data.bounds, key: data.key });
    const kept = remembered.get(data.key) ?? {};
    this.chosen = kept.chosen ?? data.chosen ?? null;
    this.mode = kept.mode ?? "phase";
    this.isFollowed = kept.isFollowed ?? false;
    this.build();
    this.resized(data);
    this.pace = new Pace(() => this.draw(), () => this.note(UNDRAWN));
    this.ground = new Ground(this.grounds, {
      camera: kept.camera ?? fitted(data.bounds, this.size()),
      look: data.look,
      files: data.files,
      changed: () => this.turned(),
      noted: (sentence) => this.note(sentence),
      released: () => this.release(),
    });
    listen(this.stage, this);
    this.observe();
  }

  build() {
    this.grounds = make("div", "vigie-map-grounds");
    this.canvas = make("canvas", "vigie-map-aircraft", { "aria-hidden": "true" });
    this.stage = make("div", "vigie-map-stage", {}, this.grounds, this.canvas);
    this.layer = new AircraftLayer(this.canvas);
    this.card = new Card({ close: () => this.choose(null), follow: () => this.follow(!this.isFollowed) });
    this.tooltip = new Tooltip();
    this.search = new Search({ snapshot: () => this.snapshot, choose: (icao24) => this.found(icao24) });
    this.legend = new Legend({ mode: this.mode, look: this.look, turned: (mode) => this.colour(mode) });
    this.sentence = make("p", "vigie-map-note vigie-map-panel", { role: "status" });
    this.sentence.hidden = true;
    const button = (text, label, does, own = "") =>
      make("button", `vigie-map-icon ${own}`, { type: "button", "aria-label": label, title: label, text, onclick: does });
    const zooms = make("div", "vigie-map-zooms vigie-map-panel", { role: "group", "aria-label": "Zoom" },
      button("+", "Zoom in", () => this.zoom(1)), button("\u2212", "Zoom out", () => this.zoom(-1)),
      button("", "Show all", () => this.showAll(), "vigie-map-home")); // prettier-ignore
    const credit = make("span", "vigie-map-credit", { text: "Natural Earth" });
    this.place.replaceChildren(this.stage, this.tooltip.element, this.sentence, this.search.element, this.card.element,
      this.legend.element, zooms, credit); // prettier-ignore
    this.place.addEventListener("keydown", (event) => event.key === "Escape" && this.choose(null));
  }

  observe() {
    const watch = () => this.pace.see(this.isInSight !== false && !document.hidden);
    this.sight = new IntersectionObserver(([entry]) => {
      this.isInSight = entry.isIntersecting;
      watch();
    });
    this.sight.observe(this.place);
    this.sizes = new ResizeObserver(() => this.pace.go());
    this.sizes.observe(this.place);
    document.addEventListener("visibilitychange", watch);
    REDUCED.addEventListener("change", watch);
    this.unwatch = () => {
      document.removeEventListener("visibilitychange", watch);
      REDUCED.removeEventListener("change", watch);
    };
  }

  size() {
    return { width: this.place.clientWidth || 1, height: this.place.clientHeight || 1 };
  }

  resized({ height, look }) {
    this.place.style.setProperty("--vigie-height", typeof height === "number" ? `${height}px` : (height ?? "100%"));
    for (const part of STYLED) this.place.style.setProperty(`--vigie-${part}`, look[part]);
    this.place.classList.toggle("vigie-map-dark", look.is_dark);
  }

  // Whatever was sent is drawn as far as it can be read; what cannot be read leaves the map as it was.
  update(data) {
    this.clock.heard(data.at, here());
    try {
      this.look = data.look ?? this.look;
      this.zone = data.zone;
      this.resized({ height: data.height, look: this.look });
      this.ground.dress(this.look);
      this.snapshot = decoded(data);
      this.motion.take(this.snapshot, this.clock.now(here()), !REDUCED.matches);
    } catch (problem) {
      console.warn("vigie: a snapshot could not be read, the one before it stays:", problem);
    }
    this.updatedAt = here();
    this.updates++;
    this.colour(this.mode);
    if (this.chosen !== (data.chosen ?? null)) this.told(this.chosen);
  }

  // The moment that is drawn.
  now() {
    return this.clock.now(REDUCED.matches ? this.updatedAt : here());
  }

  // Draw the aircraft as they are now; how fast the fastest goes in pixels a second, or nothing when none will move.
  draw() {
    if (!this.place.isConnected) return null;
    const [now, size] = [this.now(), this.size()];
    this.motion.place(now);
    if (this.isFollowed) this.keepCentred();
    const { camera } = this.ground;
    this.font ??= getComputedStyle(this.place).fontFamily;
    this.layer.draw({ ...this, camera, size, now });
    this.point();
    const speed = (this.motion.pace(now) / 360) * pixelsOfWorld(camera.zoom);
    return REDUCED.matches ? null : speed;
  }

  // Words beside the aircraft under the pointer.
  point() {
    const at = this.motion.index.get(this.hovered);
    this.tooltip.show(at, this.layer.xs[at], this.layer.ys[at], { snapshot: this.snapshot, size: this.size() });
  }

  keepCentred() {
    const at = this.motion.index.get(this.chosen);
    if (at === undefined || this.ground.isMoving()) return;
    this.isCentring = true;
    this.ground.go({ lon: this.motion.lon[at], lat: this.motion.lat[at] });
    this.isCentring = false;
  }

  // The camera is another: aircraft are drawn with the land, in the same frame.
  turned() {
    this.remember();
    if (!this.isCentring) this.pace.frame();
  }

  remember() {
    const { chosen, mode, isFollowed } = this;
    remembered.set(this.key, { chosen, mode, isFollowed, camera: this.ground.camera });
  }

  hover(x, y) {
    const at = nearest(this.layer.xs, this.layer.ys, this.motion.count, x, y, NEAR_PX.mouse);
    const hovered = at < 0 ? null : this.snapshot.icao24[at];
    if (hovered === this.hovered) return;
    this.hovered = hovered;
    this.stage.classList.toggle("vigie-map-pointed", hovered !== null);
    this.pace.go();
  }

  leave() {
    this.hovered = null;
    this.pace.go();
  }

  click(x, y, isTouch) {
    const near = isTouch ? NEAR_PX.touch : NEAR_PX.mouse;
    const at = nearest(this.layer.xs, this.layer.ys, this.motion.count, x, y, near);
    if (at >= 0) this.choose(this.snapshot.icao24[at]);
  }

  choose(icao24) {
    if (icao24 === this.chosen) return;
    this.chosen = icao24;
    this.isFollowed = false;
    this.shown();
    this.told(icao24);
  }

  found(icao24) {
    this.choose(icao24);
    const at = this.motion.index.get(icao24);
    if (at === undefined) return;
    const zoom = Math.max(this.ground.camera.zoom, FOUND_ZOOM);
    this.ground.go({ lon: this.motion.lon[at], lat: this.motion.lat[at], zoom }, true);
  }

  follow(isFollowed) {
    this.isFollowed = isFollowed;
    this.shown();
  }

  // A person moved the map: it is theirs again.
  release() {
    if (this.isFollowed) this.follow(false);
  }

  colour(mode) {
    this.mode = mode;
    this.colours = colouring(this.snapshot, mode, this.look);
    this.legend.show(mode, this.look);
    this.shown();
  }

  // All that is beside the canvas says what it is now, and the canvas is drawn again.
  shown() {
    this.remember();
    const { snapshot, zone, isFollowed } = this;
    this.card.show(this.chosen, { snapshot, index: this.motion.index, now: this.clock.now(here()), zone, isFollowed });
    this.place.classList.toggle("vigie-map-chosen", this.chosen !== null);
    this.pace.go();
  }

  zoom(by) {
    this.ground.zoomBy(by, this.size(), undefined, undefined, true);
  }

  showAll() {
    this.release();
    this.ground.fit(this.bounds, this.size(), true);
  }

  note(sentence) {
    this.sentence.hidden = !sentence;
    say(this.sentence, sentence ?? "");
  }

  end() {
    this.pace.end();
    this.sight.disconnect();
    this.sizes.disconnect();
    this.unwatch();
    this.ground.end();
  }
}
