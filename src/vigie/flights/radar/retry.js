// How long to wait before another try: a second, two, four ..., at most half a minute.

export function waitBefore(tries) {
  return Math.min(30_000, 1_000 * 2 ** tries);
}
