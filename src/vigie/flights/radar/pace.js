// How often the aircraft are drawn: as often as they can be seen to move, and no oftener than the machine can bear.

const SHORTEST_MS = 33;
const LONGEST_MS = 1_000;
const SHARE = 4; // a frame is followed by at least so many times what it cost
const PIXELS = 0.4; // a step that nobody sees

// Milliseconds until the next frame: by the speed of what moves, what a frame costs, and how late frames come.
export function interval(pixelsPerSecond, costMs, lateMs) {
  const seen = pixelsPerSecond > 0 ? (PIXELS / pixelsPerSecond) * 1_000 : LONGEST_MS;
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, seen, costMs * (SHARE + 1), lateMs * 2));
}

export class Pace {
  costMs = 0;
  lateMs = 0;
  frames = 0;
  isSeen = true;

  // `draw` returns how many pixels a second the fastest goes. When it throws, `noted` is called with the sentence, with
  // nothing once it draws again, and it is tried again in between.
  constructor(draw, noted, sentence) {
    Object.assign(this, { draw, noted, sentence });
  }

  // Draw soon, and go on.
  go() {
    clearTimeout(this.waiting);
    if (this.asked || this.isEnded || !this.isSeen) return;
    const wanted = performance.now();
    this.asked = requestAnimationFrame(() => {
      this.asked = undefined;
      this.lateMs += (performance.now() - wanted - this.lateMs) / 8;
      this.frame();
    });
  }

  frame() {
    if (this.isEnded) return;
    const began = performance.now();
    const speed = this.tried();
    this.costMs += (performance.now() - began - this.costMs) / 8;
    this.frames++;
    clearTimeout(this.waiting);
    if (speed !== null) this.waiting = setTimeout(() => this.go(), interval(speed, this.costMs, this.lateMs));
  }

  tried() {
    try {
      const speed = this.draw();
      if (this.hasFailed) this.noted(null);
      this.hasFailed = false;
      return speed;
    } catch (problem) {
      if (!this.hasFailed) console.warn("vigie: a frame could not be drawn:", problem);
      this.hasFailed = true;
      this.noted(this.sentence);
      return 0;
    }
  }

  // Nothing is drawn while nobody can see it.
  see(isSeen) {
    this.isSeen = isSeen;
    if (isSeen) this.go();
    else clearTimeout(this.waiting);
  }

  end() {
    this.isEnded = true;
    clearTimeout(this.waiting);
    cancelAnimationFrame(this.asked);
  }
}
