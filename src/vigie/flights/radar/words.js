// Figures as a person reads them, with their units; what is not known is called so.

const UNKNOWN = "unknown";

const grouped = (digits) => new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const [WHOLE, TENTHS, PLACES] = [0, 1, 4].map(grouped);

const figure = (value, format, unit) => (Number.isFinite(value) ? `${format.format(value)}${unit}` : UNKNOWN);

export const metres = (value) => figure(value, WHOLE, " m");
export const kmh = (value) => figure(value, WHOLE, " km/h");
export const degrees = (value) => figure(value, WHOLE, "°");

export function rate(value) {
  return `${value > 0.05 ? "+" : ""}${figure(value, TENTHS, " m/s")}`;
}

export function position(lon, lat) {
  const side = (value, [first, second]) => `${PLACES.format(Math.abs(value))}° ${value < 0 ? second : first}`;
  return `${side(lat, "NS")}, ${side(lon, "EW")}`;
}

export function word(text) {
  return text ? text.charAt(0).toUpperCase() + text.slice(1).toLowerCase() : UNKNOWN;
}

export const known = (text) => text || UNKNOWN;

export const callsign = (text) => text || "no callsign";

// An instant of the server's clock, on the clock that the viewer chose.
export function clock(epoch, zone) {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  try {
    return `${new Date(epoch * 1000).toLocaleTimeString("en-GB", { ...options, timeZone: zone })} ${zone}`;
  } catch {
    return `${new Date(epoch * 1000).toLocaleTimeString("en-GB", { ...options, timeZone: "UTC" })} UTC`;
  }
}
