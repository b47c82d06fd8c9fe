// One live map: what it shows, and what a person does to it. A snapshot at any moment is taken whole.

import { colouring } from "./colours.js";
import { listen } from "./gestures.js";
import { Ground } from "./ground.js";
import { Layout } from "./layout.js";
import { fitted, nearest, pixelsOfWorld } from "./mercator.js";
import { Motion, ServerClock } from "./motion.js";
import { Pace } from "./pace.js";
import { REDUCED, watchSight } from "./sight.js";
import { decoded, NOTHING } from "./snapshot.js";

const NEAR_PX = { mouse: 14, touch: 24 };
const FOUND_ZOOM = 7; // as near as a search comes at least
const UNDRAWN = "The aircraft could not be drawn. Trying again.";
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
    this.layout = new Layout(place, this);
    this.layout.dress(data.height, data.look);
    this.pace = new Pace(() => this.draw(), (sentence) => this.layout.note(sentence), UNDRAWN);
    this.ground = new Ground(this.layout.grounds, {
      camera: kept.camera ?? fitted(data.bounds, this.layout.size()),
      look: data.look,
      files: data.files,
      changed: () => this.turned(),
      noted: (sentence) => this.layout.note(sentence),
      released: () => this.release(),
    });
    listen(this.layout.stage, this);
    this.unwatch = watchSight(place, (isSeen) => this.pace.see(isSeen), () => this.pace.go());
  }

  // Whatever was sent is drawn as far as it can be read; what cannot be read leaves the map as it was.
  update(data) {
    this.clock.heard(data.at, here());
    try {
      this.look = data.look?.altitudes ? data.look : this.look;
      this.zone = data.zone;
      this.layout.dress(data.height, this.look);
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
    const [now, size] = [this.now(), this.layout.size()];
    this.motion.place(now);
    if (this.isFollowed) this.keepCentred();
    const { camera } = this.ground;
    const { snapshot, motion, look, colours, chosen, hovered } = this;
    const { aircraft, tooltip, font } = this.layout;
    aircraft.draw({ camera, size, snapshot, motion, look, colours, chosen, hovered, now, font });
    const at = motion.index.get(hovered);
    tooltip.show(at, aircraft.xs[at], aircraft.ys[at], { snapshot, size });
    return REDUCED.matches ? null : (motion.pace(now) / 360) * pixelsOfWorld(camera.zoom);
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

  // The aircraft nearest to a point of the screen, if one is near.
  at(x, y, farthest) {
    const { xs, ys } = this.layout.aircraft;
    const found = nearest(xs, ys, this.motion.count, x, y, farthest);
    return found < 0 ? null : this.snapshot.icao24[found];
  }

  hover(x, y) {
    const hovered = this.at(x, y, NEAR_PX.mouse);
    if (hovered === this.hovered) return;
    this.hovered = hovered;
    this.layout.stage.classList.toggle("vigie-map-pointed", hovered !== null);
    this.pace.go();
  }

  click(x, y, isTouch) {
    const icao24 = this.at(x, y, isTouch ? NEAR_PX.touch : NEAR_PX.mouse);
    if (icao24 !== null) this.choose(icao24);
  }

  choose(icao24) {
    if (icao24 === this.chosen) return;
    this.chosen = icao24;
    this.isFollowed = false;
    this.shown();
    this.told(icao24);
    this.uncover();
  }

  // The card does not lie on the one that it is about.
  uncover() {
    const at = this.motion.index.get(this.chosen);
    const { xs, ys } = this.layout.aircraft;
    const [dx, dy] = this.layout.card.covering(xs[at], ys[at]);
    if (dx || dy) this.ground.moveBy(dx, dy, this.layout.size());
  }

  // One that was searched for is brought into sight.
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
    this.layout.legend.show(mode, this.look);
    this.shown();
  }

  // All that is beside the canvas says what it is now, and the canvas is drawn again.
  shown() {
    this.remember();
    const { snapshot, zone, isFollowed, chosen } = this;
    const { index } = this.motion;
    this.layout.card.show(chosen, { snapshot, index, now: this.clock.now(here()), zone, isFollowed });
    this.place.classList.toggle("vigie-map-chosen", chosen !== null);
    this.pace.go();
  }

  zoom(by) {
    this.ground.zoomBy(by, this.layout.size(), undefined, undefined, true);
  }

  showAll() {
    this.release();
    this.ground.fit(this.bounds, this.layout.size(), true);
  }

  end() {
    this.pace.end();
    this.unwatch();
    this.ground.end();
  }
}
