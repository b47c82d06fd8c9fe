// Land and borders below the aircraft, drawn by MapLibre, which has the camera and its gestures while it is there.
// It may come late, fail, or lose its graphics card: the camera is kept here, and the map is made anew.

import { bounded, fitted, moved, NEAREST_ZOOM, WIDEST_ZOOM, zoomed } from "./mercator.js";
import { make } from "./dom.js";
import { waitBefore } from "./retry.js";

const RESTORED_WITHIN_MS = 4_000;
const NO_GRAPHICS = "Land is not drawn: this browser has no WebGL to spare. The aircraft are where they should be.";
const NO_SCRIPT = "Land is not drawn yet: a file of the map could not be loaded.";
const TITLE = "Map: arrow keys move it, plus and minus zoom";

let loading = null;

function library(address) {
  loading ??= new Promise((resolve, reject) => {
    const script = make("script", "", { src: address });
    script.onload = () => (window.maplibregl ? resolve(window.maplibregl) : reject(new Error(`${address} is no map`)));
    script.onerror = () => reject(new Error(`${address} could not be loaded`));
    document.head.append(script);
  }).catch((problem) => {
    loading = null;
    throw problem;
  });
  return loading;
}

export class Ground {
  tries = 0;
  isDrawn = false;

  // `changed` is called when the camera is another, `noted` with a sentence, or with nothing once all is well.
  constructor(place, { camera, look, files, changed, noted, released }) {
    Object.assign(this, { place, camera, look, files, changed, noted, released });
    this.reach(true);
    this.begin();
  }

  // Without MapLibre the place itself takes the keys.
  reach(isOwn) {
    const attributes = { tabindex: "0", role: "region", "aria-label": TITLE };
    for (const [name, value] of Object.entries(attributes))
      if (isOwn) this.place.setAttribute(name, value);
      else this.place.removeAttribute(name);
  }

  style() {
    const { sea, land, border } = this.look;
    return {
      version: 8,
      sources: { land: { type: "geojson", data: this.files.land, attribution: "Natural Earth" } },
      layers: [
        { id: "sea", type: "background", paint: { "background-color": sea } },
        { id: "land", type: "fill", source: "land", paint: { "fill-color": land } },
        { id: "border", type: "line", source: "land", paint: { "line-color": border, "line-width": 0.8 } },
      ],
    };
  }

  async begin() {
    try {
      const maplibre = await library(this.files.script);
      if (!this.isEnded) this.build(maplibre);
    } catch (problem) {
      this.fail(problem, this.map === undefined && window.maplibregl ? NO_GRAPHICS : NO_SCRIPT);
    }
  }

  build(maplibre) {
    this.drop();
    const container = make("div", "vigie-map-ground");
    this.place.append(container);
    this.container = container;
    const { lon, lat, zoom } = this.camera;
    const map = new maplibre.Map({
      container, style: this.style(), center: [lon, lat], zoom, minZoom: WIDEST_ZOOM, maxZoom: NEAREST_ZOOM,
      maxPitch: 0, dragRotate: false, pitchWithRotate: false, touchPitch: false, renderWorldCopies: false,
      attributionControl: false, fadeDuration: 0, locale: { "Map.Title": TITLE },
    }); // prettier-ignore
    this.map = map;
    this.reach(false);
    map.touchZoomRotate.disableRotation();
    map.keyboard.disableRotation();
    const own = (does) => (event) => {
      if (this.map === map) does(event);
    };
    map.on("move", own((event) => this.read(event)));
    map.on("dragstart", own(() => this.released()));
    map.on("load", own(() => this.succeed()));
    map.on("error", own(({ error }) => this.isDrawn || this.fail(error, NO_SCRIPT)));
    map.on("webglcontextlost", own(() => this.lose()));
    map.on("webglcontextrestored", own(() => this.again()));
  }

  // Where MapLibre's camera is now: it keeps to the world's edges by itself. Without a size, as when the place was taken
  // out of the page in the middle of a zoom, MapLibre goes astray.
  read() {
    if (!this.place.clientWidth) return;
    const { lng, lat } = this.map.getCenter();
    this.camera = bounded({ lon: lng, lat, zoom: this.map.getZoom() });
    this.changed(this.camera);
  }

  succeed() {
    this.isDrawn = true;
    this.tries = 0;
    this.noted(null);
  }

  // The context went, with all that was drawn: another map is made when the browser gives it back, or has not for long.
  lose() {
    this.isDrawn = false;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.again(), RESTORED_WITHIN_MS);
  }

  fail(problem, sentence) {
    if (this.isEnded) return;
    console.warn("vigie: the land of the map:", problem);
    this.drop();
    const wait = waitBefore(this.tries++);
    this.noted(`${sentence} Trying again.`);
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.again(), wait);
  }

  again() {
    clearTimeout(this.waiting);
    this.drop();
    if (!this.isEnded) this.begin();
  }

  // Light turned to dark: other colours, another map.
  dress(look) {
    const isSame = ["sea", "land", "border"].every((part) => look[part] === this.look[part]);
    this.look = look;
    if (!isSame && this.map) this.again();
  }

  drop() {
    const { map, container } = this;
    this.map = undefined;
    this.isDrawn = false;
    try {
      map?.remove();
    } catch (problem) {
      console.warn("vigie: an old map could not be put away:", problem);
    }
    container?.remove();
    this.reach(true);
  }

  // Move the camera, at once or on a way that can be followed.
  go(camera, isSlow = false) {
    const next = bounded({ ...this.camera, ...camera });
    if (this.map) {
      const where = { center: [next.lon, next.lat], zoom: next.zoom };
      if (isSlow) this.map.easeTo({ ...where, duration: 500 });
      else this.map.jumpTo(where);
    } else {
      this.camera = next;
      this.changed(next);
    }
  }

  fit(bounds, size, isSlow) {
    this.go(fitted(bounds, size), isSlow);
  }

  zoomBy(by, size, x, y, isSlow) {
    this.go(zoomed(this.camera, size, by, x, y), isSlow);
  }

  moveBy(dx, dy, size) {
    this.go(moved(this.camera, size, dx, dy));
  }

  isMoving() {
    return Boolean(this.map?.isMoving());
  }

  end() {
    this.isEnded = true;
    clearTimeout(this.waiting);
    this.drop();
  }
}
