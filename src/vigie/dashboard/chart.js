// A chart that stays where it is while its figure changes: zoom, legend and what is hovered are kept.

let loading;

function plotly(address) {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error(`${address} could not be loaded`));
    document.head.append(script);
  });
  return loading;
}

export default async function ({ data, parentElement, setTriggerValue }) {
  let place = parentElement.querySelector(":scope > .vigie-chart");
  if (!place) {
    place = document.createElement("div");
    place.className = "vigie-chart";
    parentElement.append(place);
  }
  if (place.drawn === data.figure) return () => place.end(); // a refresh that found nothing new
  place.drawn = data.figure;
  const { data: traces, layout } = JSON.parse(data.figure);
  place.style.height = `${layout.height}px`; // taken before the chart is there: nothing below it moves
  const Plotly = await plotly(data.plotly);
  await Plotly.react(place, traces, layout, data.config);
  if (!place.isWatched) {
    place.isWatched = true;
    place.on("plotly_click", ({ points }) => setTriggerValue("clicked", points[0].customdata ?? null));
    const watching = new ResizeObserver(() => place.isConnected && Plotly.Plots.resize(place));
    watching.observe(parentElement);
    place.end = () => {
      watching.disconnect();
      Plotly.purge(place);
    };
  }
  if (!place.matches(":hover")) place.querySelectorAll(".hoverlayer > *").forEach((label) => label.remove());
  return () => place.end();
}
