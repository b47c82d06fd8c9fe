// Whether a place can be seen: in sight, on a page that is shown. Where it is not, nothing is drawn.

export const REDUCED = window.matchMedia("(prefers-reduced-motion: reduce)");

// Calls `seen` with whether the place can be seen, and `sized` when it has another size; returns what ends that.
export function watchSight(place, seen, sized) {
  let isInSight = true;
  const tell = () => seen(isInSight && !document.hidden);
  const sight = new IntersectionObserver((entries) => {
    isInSight = entries[entries.length - 1].isIntersecting;
    tell();
  });
  const sizes = new ResizeObserver(sized);
  sight.observe(place);
  sizes.observe(place);
  document.addEventListener("visibilitychange", tell);
  REDUCED.addEventListener("change", tell);
  return () => {
    sight.disconnect();
    sizes.disconnect();
    document.removeEventListener("visibilitychange", tell);
    REDUCED.removeEventListener("change", tell);
  };
}
