// The filter of the exchanges: by text, rule, terminal and verdict.

const form = one(".filter");
const exchanges = all("details.exchange");
const words = one("#words");
const byRule = one("#by-rule");
const byTerminal = one("#by-terminal");
const shown = one("#shown");

function fits(exchange, text, rule, terminal, verdicts) {
  const { verdict, rules } = exchange.dataset;
  if (!verdicts.has(verdict) || (terminal && exchange.dataset.terminal !== terminal)) return false;
  if (rule && !rules.split(" ").includes(rule)) return false;
  return text.every((word) => exchange.textContent.toLowerCase().includes(word));
}

function filter() {
  const text = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const verdicts = new Set(all("input[name=verdict]:checked", form).map((box) => box.value));
  let count = 0;
  for (const exchange of exchanges) {
    const fit = fits(exchange, text, byRule.value, byTerminal.value, verdicts);
    exchange.hidden = !fit;
    count += fit;
  }
  for (const group of all(".group")) {
    const isEmpty = !one("details.exchange", group);
    one(".none", group).hidden = isEmpty || one("details.exchange:not([hidden])", group) !== null;
  }
  shown.textContent = `${count.toLocaleString("en")} of ${exchanges.length.toLocaleString("en")} shown`;
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
