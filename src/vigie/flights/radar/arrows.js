// Arrows, drawn once for each colour, size and heading and then copied: a copy costs a tenth of a drawing.

const STEPS = 72; // headings: every five degrees
const ARROW = [[0, -1], [0.7, 0.85], [0, 0.45], [-0.7, 0.85]]; // prettier-ignore

export function outline(context, x, y, size, radians) {
  const [sine, cosine] = [Math.sin(radians), Math.cos(radians)];
  context.beginPath();
  for (const [east, south] of ARROW)
    context.lineTo(x + (east * cosine - south * sine) * size, y + (east * sine + south * cosine) * size);
  context.closePath();
}

export class Arrows {
  sheets = new Map();

  // Forget them all: a graphics card that was lost took them with it.
  forget() {
    this.sheets.clear();
  }

  // A strip of one arrow for each heading; `side` of each in pixels of the screen.
  sheet(colour, edge, size, ratio) {
    const name = `${colour} ${edge} ${size} ${ratio}`;
    let sheet = this.sheets.get(name);
    if (!sheet) {
      if (this.sheets.size > 200) this.forget();
      sheet = this.drawn(colour, edge, size, ratio);
      this.sheets.set(name, sheet);
    }
    return sheet;
  }

  drawn(colour, edge, size, ratio) {
    const side = Math.ceil((size + 2) * 2 * ratio);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [side * STEPS, side];
    const context = canvas.getContext("2d");
    context.fillStyle = colour;
    context.strokeStyle = edge;
    context.lineJoin = "round";
    context.lineWidth = 1.6 * ratio;
    for (let step = 0; step < STEPS; step++) {
      outline(context, (step + 0.5) * side, side / 2, size * ratio, (step / STEPS) * 2 * Math.PI);
      context.stroke();
      context.fill();
    }
    return { canvas, side };
  }

  // Where they are seen to move, they do so by less than a pixel.
  draw(context, sheet, x, y, headingDeg, isSmooth) {
    const { canvas, side } = sheet;
    const [left, top] = [x - side / 2, y - side / 2];
    const turn = Number.isFinite(headingDeg) ? Math.round((headingDeg / 360) * STEPS) : 0;
    const step = ((turn % STEPS) + STEPS) % STEPS;
    const [toX, toY] = isSmooth ? [left, top] : [Math.round(left), Math.round(top)];
    context.drawImage(canvas, step * side, 0, side, side, toX, toY, side, side);
  }
}
