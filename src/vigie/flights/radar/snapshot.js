// What the server sends, as columns: text as lists, numbers as the bytes of typed arrays in base64.

import { worldX, worldY } from "./mercator.js";

const DEGREES = 1e-5; // the unit of a position: a metre
const TRAIL_DEGREES = 5e-5; // the unit of a trail, from where its aircraft is

function bytesOf(text) {
  if (typeof text !== "string") throw new Error("a column is missing");
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at);
  return bytes;
}

function column(text, Kind, count) {
  const { buffer } = bytesOf(text);
  const found = new Kind(buffer);
  if (count !== undefined && found.length !== count) throw new Error(`a column has ${found.length} rows, not ${count}`);
  return found;
}

function placesOf(text, count) {
  return Float64Array.from(column(text, Int32Array, count), (units) => units * DEGREES);
}

function list(texts, count) {
  if (!Array.isArray(texts) || texts.length !== count) throw new Error("a list is not as long as the others");
  return texts;
}

// A column of few words: which they are, and the number of each row's.
function words({ names, codes }, count) {
  const numbers = column(codes, Uint16Array, count);
  return { names: list(names, names.length), numbers, of: (at) => names[numbers[at]] ?? null };
}

export const NOTHING = {
  at: NaN, newest: NaN, count: 0, icao24: [], callsign: [], trailStarts: new Uint32Array(1), track: null, fastestKmh: 0,
}; // prettier-ignore

// The snapshot that data holds. An error when it does not hold one: what is drawn then stays.
export function decoded(data) {
  const { aircraft, trails, track, at, newest, fastest_kmh: fastestKmh } = data;
  const count = aircraft.icao24.length;
  if (!count) return { ...NOTHING, at };
  if (![at, newest].every(Number.isFinite)) throw new Error("an instant is missing");
  const [lon, lat] = [placesOf(aircraft.lon, count), placesOf(aircraft.lat, count)];
  return {
    at,
    newest,
    count,
    fastestKmh,
    icao24: list(aircraft.icao24, count),
    callsign: list(aircraft.callsign, count),
    country: words(aircraft.country, count),
    phase: words(aircraft.phase, count),
    aircraftClass: words(aircraft.class, count),
    lon,
    lat,
    altitude: column(aircraft.altitude, Float32Array, count),
    speed: column(aircraft.speed, Float32Array, count),
    climb: column(aircraft.climb, Float32Array, count),
    heading: column(aircraft.heading, Float32Array, count),
    // To the millisecond: four bytes leave a whole second just short of it, and a clock would show the one before.
    heard: Float64Array.from(column(aircraft.heard, Float32Array, count), (ago) => Math.round((newest - ago) * 1e3) / 1e3),
    ...trailsOf(trails, lon, lat, count),
    track: track && { icao24: track.icao24, lon: placesOf(track.lon), lat: placesOf(track.lat) },
  };
}

// Trails lie behind one another, the oldest point of each first; that of an aircraft ends where the next begins. They
// do not move, so that their places in the world are worked out once.
function trailsOf(trails, lon, lat, count) {
  const lengths = column(trails.lengths, Uint16Array, count);
  const [east, north] = [column(trails.lon, Int16Array), column(trails.lat, Int16Array)];
  const trailStarts = new Uint32Array(count + 1);
  for (let at = 0; at < count; at++) trailStarts[at + 1] = trailStarts[at] + lengths[at];
  if (trailStarts[count] !== east.length || east.length !== north.length) throw new Error("trails do not add up");
  const [trailX, trailY] = [new Float64Array(east.length), new Float64Array(east.length)];
  for (let at = 0; at < count; at++)
    for (let point = trailStarts[at]; point < trailStarts[at + 1]; point++) {
      trailX[point] = worldX(lon[at] + east[point] * TRAIL_DEGREES);
      trailY[point] = worldY(lat[at] + north[point] * TRAIL_DEGREES);
    }
  return { trailStarts, trailX, trailY };
}
