// Where a place on earth is on the screen: Web Mercator, as MapLibre draws it without pitch and bearing.
// A camera is {lon, lat, zoom} of the middle of the screen; a size is {width, height} in pixels.

const WORLD_PX = 512; // the whole world at zoom 0
export const RADIANS = Math.PI / 180;
const FARTHEST = 85.051129; // degrees of latitude: beyond it the world of Mercator ends
export const NEAREST_ZOOM = 12;
export const WIDEST_ZOOM = 1;

export const within = (value, low, high) => Math.min(high, Math.max(low, value));

export function worldX(lon) {
  return (lon + 180) / 360;
}

export function worldY(lat) {
  const sine = Math.sin(within(lat, -FARTHEST, FARTHEST) * RADIANS);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}

export function latitudeOf(y) {
  return (Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) / RADIANS) * 2 - 90;
}

export function pixelsOfWorld(zoom) {
  return WORLD_PX * 2 ** zoom;
}

// What turns a place of the world into one of the screen: x * scale + left, y * scale + top.
export function transform(camera, size) {
  const scale = pixelsOfWorld(camera.zoom);
  return {
    scale,
    left: size.width / 2 - worldX(camera.lon) * scale,
    top: size.height / 2 - worldY(camera.lat) * scale,
  };
}

export function project(camera, size, lon, lat) {
  const { scale, left, top } = transform(camera, size);
  return [worldX(lon) * scale + left, worldY(lat) * scale + top];
}

export function unproject(camera, size, x, y) {
  const { scale, left, top } = transform(camera, size);
  return [((x - left) / scale) * 360 - 180, latitudeOf((y - top) / scale)];
}

// The camera that shows all of a box [west, south, east, north].
export function fitted([west, south, east, north], size) {
  const wide = worldX(east) - worldX(west);
  const high = worldY(south) - worldY(north);
  const scale = Math.min(size.width / wide, size.height / high);
  return bounded({
    lon: (west + east) / 2,
    lat: latitudeOf((worldY(south) + worldY(north)) / 2),
    zoom: Math.log2(Math.max(1, scale) / WORLD_PX),
  });
}

// The camera with nothing in it that could not be shown.
export function bounded({ lon, lat, zoom }) {
  const number = (value, otherwise) => (Number.isFinite(value) ? value : otherwise);
  return {
    lon: within(number(lon, 0), -180, 180),
    lat: within(number(lat, 0), -FARTHEST, FARTHEST),
    zoom: within(number(zoom, WIDEST_ZOOM), WIDEST_ZOOM, NEAREST_ZOOM),
  };
}

// The camera after a zoom about a point of the screen: the place below it stays there.
export function zoomed(camera, size, by, x = size.width / 2, y = size.height / 2) {
  const [lon, lat] = unproject(camera, size, x, y);
  const nearer = bounded({ ...camera, zoom: camera.zoom + by });
  const [nowX, nowY] = project(nearer, size, lon, lat);
  return moved(nearer, size, nowX - x, nowY - y);
}

// The camera after the screen has gone by so many pixels.
export function moved(camera, size, dx, dy) {
  const [lon, lat] = unproject(camera, size, size.width / 2 + dx, size.height / 2 + dy);
  return bounded({ ...camera, lon, lat });
}

// Which of the places drawn is nearest to a point of the screen, no farther than so many pixels; -1 when none is.
export function nearest(xs, ys, count, x, y, farthest) {
  let found = -1;
  let least = farthest * farthest;
  for (let at = 0; at < count; at++) {
    const distance = (xs[at] - x) ** 2 + (ys[at] - y) ** 2;
    if (distance <= least) [found, least] = [at, distance];
  }
  return found;
}
