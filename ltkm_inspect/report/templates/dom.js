// Helpers for all parts of the page. The parts share one scope.

const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
const one = (selector, within = document) => within.querySelector(selector);

/** Make an element; strings among the children become text, never HTML. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function facts(pairs) {
  const entries = pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", { class: "wire" }, value)]);
  return make("dl", { class: "facts" }, ...entries);
}
