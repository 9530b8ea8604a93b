// The filter of the exchanges: by text, rule, terminal, level and kind.

const form = one(".filter");
const exchanges = all("details.exchange");
const words = one("#words");
const byRule = one("#by-rule");
const byTerminal = one("#by-terminal");
const shown = one("#shown");
const total = exchanges.filter((exchange) => exchange.dataset.came === undefined).length;

const boxes = form ? all("input[name=kind]", form) : [];
const byLevel = one("#by-level");
const byPath = one("#by-path"); // only if the page has both exchanges and datagrams

function fits(exchange, text, rule, terminal, level) {
  const { rules } = exchange.dataset;
  if ((level && exchange.dataset.verdict !== level) || (terminal && exchange.dataset.terminal !== terminal)) return false;
  if (byPath && byPath.value && exchange.dataset.path !== byPath.value) return false;
  if (rule && !rules.split(" ").includes(rule)) return false;
  return text.every((word) => exchange.textContent.toLowerCase().includes(word));
}

const grouped = (number) => number.toLocaleString("en");

/** Show the exchanges that match. Beside each kind, show how many of its exchanges match the rest of the filter. */
function filter() {
  const text = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  const counts = {};
  const here = new Set(); // an exchange with a fault put in has two rows, but counts once
  for (const exchange of exchanges) {
    const { kind, came } = exchange.dataset;
    const fit = fits(exchange, text, byRule.value, byTerminal.value, byLevel.value);
    exchange.hidden = !fit || !chosen.has(kind);
    counts[kind] = (counts[kind] || 0) + fit;
    if (!exchange.hidden) here.add(came === undefined ? exchange.id : `x${came}`);
  }
  for (const box of boxes) one("b", box.parentNode).textContent = grouped(counts[box.value] || 0);
  one(".none").hidden = here.size > 0;
  shown.textContent = `${grouped(here.size)} of ${grouped(total)} shown`;
}

function only(select, value) {
  form.reset();
  select.value = value;
  filter();
  one("#exchanges").scrollIntoView();
  select.focus({ preventScroll: true });
}

if (form) {
  let waiting = 0;
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("change", filter);
  words.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 150);
  });
  filter();
}
