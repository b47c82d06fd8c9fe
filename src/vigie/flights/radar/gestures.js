// Drag, wheel and keys while MapLibre is not there to take them; and what a click and a pointer mean to aircraft.

const CLICK_PX = 5; // a press that goes farther is a drag
const STEP_PX = 80;
const KEYS = { ArrowLeft: [-STEP_PX, 0], ArrowRight: [STEP_PX, 0], ArrowUp: [0, -STEP_PX], ArrowDown: [0, STEP_PX] };

function pointOf(stage, event) {
  const box = stage.getBoundingClientRect();
  return [event.clientX - box.x, event.clientY - box.y];
}

// `radar` has hover(x, y), click(x, y, isTouch), ground, layout and release().
export function listen(stage, radar) {
  let pressed = null;

  stage.addEventListener("pointerdown", (event) => {
    pressed = { start: pointOf(stage, event), last: pointOf(stage, event), isTouch: event.pointerType === "touch" };
  });
  stage.addEventListener("pointermove", (event) => {
    const [x, y] = pointOf(stage, event);
    if (event.pointerType !== "touch") radar.hover(x, y);
    if (!pressed || !event.buttons || radar.ground.map) return;
    radar.release();
    radar.ground.moveBy(pressed.last[0] - x, pressed.last[1] - y, radar.layout.size());
    pressed.last = [x, y];
  });
  stage.addEventListener("pointerleave", () => radar.hover(NaN, NaN));
  stage.addEventListener("click", (event) => {
    const [x, y] = pointOf(stage, event);
    const [fromX, fromY] = pressed?.start ?? [x, y];
    if (Math.hypot(x - fromX, y - fromY) <= CLICK_PX) radar.click(x, y, Boolean(pressed?.isTouch));
  });
  stage.addEventListener("wheel", (event) => wheel(event), { passive: false });
  stage.addEventListener("keydown", (event) => keydown(event));

  function wheel(event) {
    if (radar.ground.map) return;
    event.preventDefault();
    radar.ground.zoomBy(-event.deltaY / 300, radar.layout.size(), ...pointOf(stage, event));
  }

  function keydown(event) {
    if (KEYS[event.key]) radar.release();
    if (radar.ground.map || event.altKey || event.ctrlKey || event.metaKey) return;
    if (KEYS[event.key]) radar.ground.moveBy(...KEYS[event.key], radar.layout.size());
    else if ("+=".includes(event.key)) radar.ground.zoomBy(1, radar.layout.size());
    else if (event.key === "-") radar.ground.zoomBy(-1, radar.layout.size());
    else return;
    event.preventDefault();
  }
}
