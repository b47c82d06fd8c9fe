// A chart that stays where it is while its figure changes: zoom, legend and what is hovered are kept. One drawing goes
// on at a time, and the newest figure waits for its end; nothing is thrown at Streamlit, which would show a stack trace.

const FAILED = "The chart could not be drawn. Trying again.";
const LONGEST_MS = 20_000; // a drawing that takes longer has gone wrong
const waitBefore = (tries) => Math.min(30_000, 1_000 * 2 ** tries);

let loading = null;

function plotly(address) {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => (window.Plotly ? resolve(window.Plotly) : reject(new Error(`${address} is not Plotly`)));
    script.onerror = () => reject(new Error(`${address} could not be loaded`));
    document.head.append(script);
  }).catch((problem) => {
    loading = null;
    throw problem;
  });
  return loading;
}

function inTime(drawing) {
  let waiting;
  const late = new Promise((_, reject) => {
    waiting = setTimeout(() => reject(new Error("a drawing did not end")), LONGEST_MS);
  });
  return Promise.race([drawing, late]).finally(() => clearTimeout(waiting));
}

class Chart {
  tries = 0;

  constructor(place) {
    this.place = place;
    this.sizes = new ResizeObserver(() => {
      this.isResized = true;
      this.go();
    });
    this.sizes.observe(place);
    this.seen = () => this.go();
    document.addEventListener("visibilitychange", this.seen);
  }

  update(data) {
    this.wanted = data;
    this.place.style.height = `${data.height}px`; // taken before the chart is there: nothing below it moves
    this.go();
  }

  // Draw what is wanted, if it is not drawn; out of sight it waits.
  async go() {
    const isOutOfSight = !this.place.isConnected || !this.place.clientWidth || document.hidden;
    if (this.isDrawing || this.waiting || this.isEnded || isOutOfSight || !this.wanted) return;
    if (this.wanted.figure === this.drawn && !this.isResized) return; // a refresh that found nothing new
    this.isDrawing = true;
    try {
      await inTime(this.draw(this.wanted));
      this.tries = 0;
      this.sentence?.remove();
    } catch (problem) {
      this.fail(problem);
    }
    this.isDrawing = false;
    if (this.isEnded) this.drop();
    else this.go();
  }

  async draw({ figure, config, plotly: address }) {
    const Plotly = await plotly(address);
    this.isResized = false;
    if (figure === this.drawn) {
      await Plotly.Plots.resize(this.plot);
      return;
    }
    const { data: traces, layout } = JSON.parse(figure);
    this.plot ??= this.newPlot();
    const { plot } = this;
    await Plotly.react(plot, traces, layout, config);
    this.drawn = figure;
    if (!plot.matches(":hover")) plot.querySelectorAll(".hoverlayer > *").forEach((label) => label.remove());
  }

  newPlot() {
    const plot = document.createElement("div");
    plot.className = "vigie-chart";
    plot.style.height = "100%";
    this.place.append(plot);
    return plot;
  }

  fail(problem) {
    console.warn("vigie: a chart:", problem);
    this.drop();
    this.sentence ??= Object.assign(document.createElement("p"), { textContent: FAILED, role: "status" });
    this.place.prepend(this.sentence);
    this.waiting = setTimeout(() => {
      this.waiting = undefined;
      this.go();
    }, waitBefore(this.tries++));
  }

  drop() {
    const { plot } = this;
    [this.plot, this.drawn] = [undefined, undefined];
    try {
      if (plot) window.Plotly?.purge(plot);
    } catch (problem) {
      console.warn("vigie: a chart could not be put away:", problem);
    }
    plot?.remove();
  }

  end() {
    this.isEnded = true;
    clearTimeout(this.waiting);
    this.waiting = undefined;
    this.sizes.disconnect();
    document.removeEventListener("visibilitychange", this.seen);
    if (!this.isDrawing) this.drop();
  }
}

function placeIn(parentElement) {
  const known = parentElement.querySelector(":scope > .vigie-chart-place");
  if (known) return known;
  const place = document.createElement("div");
  place.className = "vigie-chart-place";
  place.chart = new Chart(place);
  parentElement.append(place);
  return place;
}

export default function ({ data, parentElement } = {}) {
  try {
    const place = placeIn(parentElement);
    if (data?.figure) place.chart.update(data);
    // Streamlit calls this for an update that was overtaken, too: what is still in the page stays.
    return () => {
      setTimeout(() => place.isConnected || place.chart.end());
    };
  } catch (problem) {
    console.warn("vigie: a chart:", problem);
    return () => {};
  }
}
