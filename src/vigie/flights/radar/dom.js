// Elements, made in a line. Text goes in as text: nothing that came from the data is ever read as HTML.

export function make(tag, className, properties = {}, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(properties))
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  element.append(...children);
  return element;
}

let made = 0;

export function uniqueId(word) {
  return `vigie-${word}-${++made}`;
}

// Text is set only where it changes: an update that says the same costs nothing.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
