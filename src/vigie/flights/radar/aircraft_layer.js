// Aircraft on a canvas above the map, by plain arithmetic: they need neither the map's style nor a graphics card.

import { Arrows } from "./arrows.js";
import { transform, within, worldX, worldY } from "./mercator.js";
import { opacity } from "./motion.js";

const EDGE = 40; // pixels beyond the screen in which something may still reach into it
const FAR = 6; // zoom
const LABELS_FROM = 8;
const MOST_LABELS = 120;
const LABEL_HEIGHT = 13;

export class AircraftLayer {
  arrows = new Arrows();
  xs = new Float32Array(0);
  ys = new Float32Array(0);
  drawn = -1;
  ratio = 1;

  // `restored` is called when a canvas that was lost can be drawn on again.
  constructor(canvas, restored) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    canvas.addEventListener("contextrestored", () => {
      this.arrows.forget();
      restored();
    });
  }

  resize({ width, height }) {
    this.ratio = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * this.ratio), Math.round(height * this.ratio)];
    if (this.canvas.width !== wide) this.canvas.width = wide;
    if (this.canvas.height !== high) this.canvas.height = high;
  }

  // What is drawn: where the camera is, the aircraft and where they are now, and which of them a person looks at.
  draw({ camera, size, snapshot, motion, look, colours, chosen, hovered, now, font }) {
    this.resize(size);
    const view = transform(camera, size);
    this.scene = { size, snapshot, motion, look, colours, now, font, zoom: camera.zoom };
    this.place(view);
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const seen = this.inSight();
    this.drawTrails(view, seen);
    this.drawArrows(seen);
    this.drawTrack(view, chosen);
    for (const one of new Set([hovered, chosen])) if (motion.index.has(one)) this.drawRing(motion.index.get(one), one === chosen);
    this.drawLabels(seen, [chosen, hovered]);
    this.drawn = snapshot.count;
  }

  // Where each of them is on the screen.
  place({ scale, left, top }) {
    const { motion } = this.scene;
    if (this.xs.length < motion.count) [this.xs, this.ys] = [new Float32Array(motion.count), new Float32Array(motion.count)];
    for (let at = 0; at < motion.count; at++) {
      this.xs[at] = worldX(motion.lon[at]) * scale + left;
      this.ys[at] = worldY(motion.lat[at]) * scale + top;
    }
  }

  inSight() {
    const { motion, size } = this.scene;
    const seen = [];
    for (let at = 0; at < motion.count; at++) {
      const [x, y] = [this.xs[at], this.ys[at]];
      if (x > -EDGE && y > -EDGE && x < size.width + EDGE && y < size.height + EDGE) seen.push(at);
    }
    return seen;
  }

  drawTrails({ scale, left, top }, seen) {
    const { snapshot, colours } = this.scene;
    const { context, ratio } = this;
    const paths = new Map();
    const step = this.scene.zoom < FAR ? 3 : 1; // from afar a trail is ten pixels long
    for (const at of seen) {
      const [from, to] = [snapshot.trailStarts[at], snapshot.trailStarts[at + 1]];
      if (from === to) continue;
      const colour = colours[at];
      if (!paths.has(colour)) paths.set(colour, new Path2D());
      const path = paths.get(colour);
      for (let point = from; point < to; point += step) {
        const x = (snapshot.trailX[point] * scale + left) * ratio;
        const y = (snapshot.trailY[point] * scale + top) * ratio;
        if (point === from) path.moveTo(x, y);
        else path.lineTo(x, y);
      }
      path.lineTo(this.xs[at] * ratio, this.ys[at] * ratio);
    }
    context.globalAlpha = 0.5;
    context.lineWidth = within(this.scene.zoom / 5, 0.8, 1.8) * ratio;
    context.lineJoin = "round";
    for (const [colour, path] of paths) {
      context.strokeStyle = colour;
      context.stroke(path);
    }
    context.globalAlpha = 1;
  }

  drawTrack({ scale, left, top }, chosen) {
    const { snapshot, motion, look } = this.scene;
    const { track } = snapshot;
    if (!track || track.icao24 !== chosen || !track.lon.length) return;
    const path = new Path2D();
    const to = (x, y) => path.lineTo(x * this.ratio, y * this.ratio);
    track.lon.forEach((lon, point) => to(worldX(lon) * scale + left, worldY(track.lat[point]) * scale + top));
    if (motion.index.has(chosen)) to(this.xs[motion.index.get(chosen)], this.ys[motion.index.get(chosen)]);
    for (const [colour, width] of [[look.paper, 5], [look.accent, 2.4]]) {
      this.context.strokeStyle = colour;
      this.context.lineWidth = width * this.ratio;
      this.context.stroke(path);
    }
  }

  arrowSize() {
    return Math.round(within(3.2 + (this.scene.zoom - 3) * 1.1, 4, 10) * 2) / 2;
  }

  drawArrows(seen) {
    const { snapshot, look, colours, now } = this.scene;
    const size = this.arrowSize();
    for (const at of seen) {
      this.context.globalAlpha = opacity(now, snapshot.newest, snapshot.heard[at]);
      this.drawArrow(at, this.arrows.sheet(colours[at], look.edge, size, this.ratio));
    }
    this.context.globalAlpha = 1;
  }

  drawArrow(at, sheet) {
    const { context, ratio, scene } = this;
    const [x, y] = [this.xs[at] * ratio, this.ys[at] * ratio];
    this.arrows.draw(context, sheet, x, y, scene.snapshot.heading[at], scene.zoom >= FAR);
  }

  drawRing(at, isChosen) {
    const { look, colours } = this.scene;
    const { context, ratio } = this;
    const [x, y, radius] = [this.xs[at] * ratio, this.ys[at] * ratio, (this.arrowSize() + 7) * ratio];
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = look.halo;
    context.fill();
    context.lineWidth = (isChosen ? 2.4 : 1.4) * ratio;
    context.strokeStyle = isChosen ? look.accent : look.ink;
    context.stroke();
    this.drawArrow(at, this.arrows.sheet(colours[at], look.edge, this.arrowSize() + 2, ratio));
  }

  // Callsigns beside their aircraft, as far as they do not lie on one another; those looked at always.
  drawLabels(seen, lookedAt) {
    const { snapshot, motion, look, zoom, font } = this.scene;
    const { context, ratio } = this;
    const first = [...new Set(lookedAt)].filter((one) => motion.index.has(one)).map((one) => motion.index.get(one));
    const rest = zoom >= LABELS_FROM ? seen.filter((at) => !first.includes(at)).slice(0, 4 * MOST_LABELS) : [];
    const taken = [];
    context.font = `600 ${11 * ratio}px ${font}`;
    context.textBaseline = "middle";
    context.lineJoin = "round";
    for (const at of [...first, ...rest]) {
      const text = snapshot.callsign[at] || snapshot.icao24[at];
      const [x, y] = [this.xs[at] + this.arrowSize() + (first.includes(at) ? 10 : 4), this.ys[at]];
      const box = [x, y, x + text.length * 7, y + LABEL_HEIGHT];
      const isFree = taken.every((other) => box[0] > other[2] || other[0] > box[2] || box[1] > other[3] || other[1] > box[3]);
      if ((!isFree && !first.includes(at)) || taken.length > MOST_LABELS) continue;
      taken.push(box);
      context.lineWidth = 3 * ratio;
      context.strokeStyle = look.paper;
      context.strokeText(text, x * ratio, y * ratio);
      context.fillStyle = look.ink;
      context.fillText(text, x * ratio, y * ratio);
    }
  }
}
