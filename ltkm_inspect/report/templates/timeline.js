// The timeline: arrow keys move from mark to mark, Enter and a click open the exchange.

const chart = one(".chart");
const lines = chart ? all(".line", chart).filter((line) => one(".strip use", line)) : [];
const firstMark = lines.length ? one(".strip use", lines[0]) : null;
if (firstMark) firstMark.setAttribute("tabindex", "0");

function moveMark(mark, key) {
  const line = mark.closest(".line");
  if (key === "ArrowLeft") return mark.previousElementSibling;
  if (key === "ArrowRight") return mark.nextElementSibling;
  const step = { ArrowUp: -1, ArrowDown: 1 }[key];
  const visible = lines.filter((each) => each.offsetParent);
  const other = step && visible[visible.indexOf(line) + step];
  if (!other) return null;
  const x = parseFloat(mark.getAttribute("x"));
  const away = (each) => Math.abs(parseFloat(each.getAttribute("x")) - x);
  return all("use", other).reduce((best, each) => (away(each) < away(best) ? each : best));
}

function followMark(mark) {
  if (mark.dataset.x !== undefined) {
    const exchange = one(`#x${mark.dataset.x}`);
    if (exchange.hidden) {
      form.reset();
      filter();
    }
    open(exchange);
  } else {
    const terminal = one("button.who", mark.closest(".line"));
    if (terminal) only(byTerminal, terminal.dataset.terminal);
  }
}

if (chart) {
  chart.addEventListener("keydown", (event) => {
    const mark = event.target.closest(".strip use");
    if (!mark) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      followMark(mark);
      return;
    }
    const next = moveMark(mark, event.key);
    if (!next) return;
    event.preventDefault();
    mark.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}
