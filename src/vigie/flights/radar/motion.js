// Where aircraft are between two reports: they go on along their track, and ease to a new report when it comes.

import { RADIANS } from "./mercator.js";

const METRES_PER_DEGREE = 111_320;
export const AHEAD_S = 30; // no farther beyond a report
export const STALE_S = 60; // when the newest data is older, reports are drawn where they are
const EASE_S = 1;
const LEAP_DEGREES = 0.3; // a report farther away than that is another place, not a way to go
const SNAPSHOTS = 10; // from which the server's clock is known
const FRESH_S = 20; // an aircraft heard no longer ago is drawn in full
const FAINTEST = 0.3;

// Degrees a second; none when heading or speed is unknown, or a speed that no aircraft has.
export function velocity(lat, speedKmh, headingDeg, fastestKmh) {
  if (!(speedKmh >= 0 && speedKmh <= fastestKmh) || !Number.isFinite(headingDeg) || Math.abs(lat) > 85) return [0, 0];
  const degrees = speedKmh / 3.6 / METRES_PER_DEGREE;
  const heading = headingDeg * RADIANS;
  return [(Math.sin(heading) * degrees) / Math.cos(lat * RADIANS), Math.cos(heading) * degrees];
}

// How many seconds of flight are added to a report.
export function ahead(now, heard, isStale) {
  return isStale ? 0 : Math.min(AHEAD_S, Math.max(0, now - heard));
}

// The share that is left of a way, so many seconds after it began: all, then less and less, then nothing.
export function leftOf(seconds) {
  const done = Math.min(1, Math.max(0, seconds / EASE_S));
  return (1 - done) ** 2 * (1 + 2 * done);
}

export function opacity(now, newest, heard) {
  const age = Math.min(now, newest + FRESH_S) - heard;
  return age <= FRESH_S ? 1 : Math.max(FAINTEST, 1 - (age - FRESH_S) / 40);
}

// The server's wall clock, whatever the viewer's says. A snapshot is never early, so the greatest difference is right.
export class ServerClock {
  differences = [];

  heard(at, here) {
    if (!Number.isFinite(at)) return;
    this.differences = [...this.differences.slice(1 - SNAPSHOTS), at - here];
  }

  now(here) {
    return this.differences.length ? here + Math.max(...this.differences) : here;
  }
}

export class Motion {
  count = 0;
  newest = 0;
  isStale = false;
  index = new Map();

  // Take a whole new snapshot; what was drawn before goes on from where it was drawn.
  take(snapshot, now, isAnimated) {
    const before = { index: this.index, lon: this.lon, lat: this.lat };
    const { count } = snapshot;
    this.reports = snapshot;
    this.count = count;
    this.newest = snapshot.newest;
    this.index = new Map(snapshot.icao24.map((icao24, at) => [icao24, at]));
    for (const name of ["lon", "lat", "lonRate", "latRate", "lonLeft", "latLeft"]) this[name] = new Float64Array(count);
    for (let at = 0; at < count; at++) {
      const rates = velocity(snapshot.lat[at], snapshot.speed[at], snapshot.heading[at], snapshot.fastestKmh);
      [this.lonRate[at], this.latRate[at]] = rates;
    }
    this.isStale = now - this.newest > STALE_S;
    this.place(now);
    if (!isAnimated) return;
    snapshot.icao24.forEach((icao24, at) => {
      const was = before.index.get(icao24);
      if (was !== undefined) this.leave(at, before.lon[was], before.lat[was]);
    });
    this.begun = now;
    this.place(now);
  }

  // An aircraft that was drawn there eases to its place.
  leave(at, lon, lat) {
    const [lonLeft, latLeft] = [lon - this.lon[at], lat - this.lat[at]];
    const isLeap = Math.abs(lonLeft) > LEAP_DEGREES || Math.abs(latLeft) > LEAP_DEGREES;
    this.lonLeft[at] = isLeap ? 0 : lonLeft;
    this.latLeft[at] = isLeap ? 0 : latLeft;
  }

  // Set `lon` and `lat` to where aircraft are now.
  place(now) {
    if (!this.count) return;
    if (now - this.newest > STALE_S !== this.isStale) this.turnStale(now);
    const { lon, lat, heard } = this.reports;
    const left = this.begun === undefined ? 0 : leftOf(now - this.begun);
    for (let at = 0; at < this.count; at++) {
      const seconds = ahead(now, heard[at], this.isStale);
      this.lon[at] = lon[at] + this.lonRate[at] * seconds + this.lonLeft[at] * left;
      this.lat[at] = lat[at] + this.latRate[at] * seconds + this.latLeft[at] * left;
    }
  }

  // No data comes any more, or comes again: nobody leaps.
  turnStale(now) {
    const [lon, lat] = [this.lon.slice(), this.lat.slice()];
    this.isStale = !this.isStale;
    this.begun = undefined;
    this.place(now);
    for (let at = 0; at < this.count; at++) this.leave(at, lon[at], lat[at]);
    this.begun = now;
  }

  // The most degrees that one goes in a second, so that nothing is drawn more often than it can be seen to move.
  pace(now) {
    const left = this.begun === undefined || now - this.begun > EASE_S ? 0 : 2 / EASE_S;
    let most = 0;
    for (let at = 0; at < this.count; at++) {
      const own = this.isStale ? 0 : Math.max(Math.abs(this.lonRate[at]), Math.abs(this.latRate[at]));
      const eased = left * Math.max(Math.abs(this.lonLeft[at]), Math.abs(this.latLeft[at]));
      if (own + eased > most) most = own + eased;
    }
    return most;
  }
}
