// What Streamlit calls with each update, at whatever moment. Nothing is thrown back at it: it would show a stack trace.

import { make } from "./dom.js";
import { Radar } from "./radar.js";
import { waitBefore } from "./retry.js";

const FAILED = "The map could not be drawn. Trying again.";

function placeIn(parentElement) {
  const known = parentElement.querySelector(":scope > .vigie-map");
  if (known) return known;
  const place = make("div", "vigie-map");
  parentElement.append(place);
  return place;
}

// What others may ask of a map: tests, and the curious.
function asked(radar) {
  const { motion, ground } = radar;
  const { aircraft: layer, canvas } = radar.layout;
  const places = (lons, lats) => Object.fromEntries([...motion.index].map(([icao24, at]) => [icao24, [lons[at], lats[at]]]));
  return {
    aircraft: () => (motion.count ? places(motion.lon, motion.lat) : {}),
    reports: () => (motion.count ? places(motion.reports.lon, motion.reports.lat) : {}),
    count: () => motion.count,
    pixel: (icao24) => {
      const [box, at] = [canvas.getBoundingClientRect(), motion.index.get(icao24)];
      return at === undefined ? null : [box.x + layer.xs[at], box.y + layer.ys[at]];
    },
    camera: () => ({ ...ground.camera }),
    zoom: () => ground.camera.zoom,
    isMoving: () => ground.isMoving(),
    isDrawn: () => layer.drawn > 0 && layer.drawn === motion.count,
    isGroundDrawn: () => ground.isDrawn,
    chosen: () => radar.chosen,
    frames: () => radar.pace.frames,
    cost: () => radar.pace.costMs,
    updates: () => radar.updates,
  };
}

function update(place) {
  const { data, told } = place.newest;
  if (!place.live) {
    place.live = new Radar(place, data, (icao24) => place.newest.told(icao24));
    place.radar = asked(place.live);
  }
  place.live.update(data);
  place.tries = 0;
}

// Draw what came last. A map that has drawn before goes on with what it had; one that never has says so in a sentence,
// and begins anew after a while.
function attempt(place) {
  clearTimeout(place.waiting);
  try {
    update(place);
  } catch (problem) {
    console.warn("vigie: the map:", problem);
    if (place.live?.layout.aircraft.drawn > 0) return;
    putAway(place);
    place.replaceChildren(make("p", "vigie-map-note vigie-map-panel", { role: "status", text: FAILED }));
    place.tries = (place.tries ?? 0) + 1;
    place.waiting = setTimeout(() => place.isConnected && attempt(place), waitBefore(place.tries - 1));
  }
}

function putAway(place) {
  const { live } = place;
  place.live = undefined;
  try {
    live?.end();
  } catch (problem) {
    console.warn("vigie: a map could not be put away:", problem);
  }
}

export default function ({ data, parentElement, setStateValue } = {}) {
  try {
    const place = placeIn(parentElement);
    const told = (icao24) => {
      try {
        setStateValue("chosen", icao24);
      } catch (problem) {
        console.warn("vigie: the choice could not be told:", problem);
      }
    };
    if (data && typeof data === "object") {
      place.newest = { data, told };
      attempt(place);
    }
    // Streamlit calls this for an update that was overtaken, too: what is still in the page stays.
    return () => {
      setTimeout(() => place.isConnected || putAway(place));
    };
  } catch (problem) {
    console.warn("vigie: the map:", problem);
    return () => {};
  }
}
