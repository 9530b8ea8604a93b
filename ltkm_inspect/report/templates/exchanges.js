// An opened exchange: its notes, facts, items and LTKMs are made from the data in its row.

const UNFOLDED_LTKMS = 3; // an exchange with at most this many shows each of them unfolded

function fill(exchange) {
  if (exchange.dataset.filled) return;
  exchange.dataset.filled = "yes";
  const data = JSON.parse(one("script", exchange).textContent);
  const inside = one(".inside", exchange);
  inside.append(make("section", { class: "about", "aria-label": data.u ? "The datagram" : "The exchange" }, facts(data.f)));
  if (data.n.length) {
    const list = make("ul", { class: "findings" }, ...data.n.map(noted));
    const notes = make("section", { class: "aside", "aria-label": "Notes" }, make("h4", {}, "Notes"), list);
    one(".flaws", exchange).append(notes);
  }
  if (data.h.length) {
    exchange.evidence = evidence(data.h, all(".finding", exchange));
    inside.append(exchange.evidence.element);
  } else if (!data.u) {
    const why =
      "The record of this exchange has no request and response. Records have them if there are findings or faults, " +
      "or if the run itself writes an HTML report. Records of older versions never have them.";
    inside.append(make("p", { class: "hint evidence" }, why));
  }
  const few = data.i.reduce((sum, item) => sum + item.l.length, 0) <= UNFOLDED_LTKMS;
  for (const item of data.i) {
    const title = item.n ? `Item ${item.n}` : data.u ? "Message" : "Not in an item";
    const section = make("section", { class: "item", "data-item": item.n, "aria-label": title });
    section.append(make("h4", { tabindex: "-1" }, title), facts(item.f));
    for (const ltkm of item.l) section.append(foldedLtkm(exchange, item.n, ltkm, few));
    inside.append(section);
  }
}

/** A note, with the attributes of a finding, so that the page finds its place. */
function noted(note) {
  const entry = make("li", { class: "finding note", "data-rule": note.rule, "data-path": note.path });
  for (const name of ["item", "ltkm", "start", "end", "mark"]) if (note[name] !== null) entry.dataset[name] = note[name];
  const pairs = [["Expected", note.expected], ["Got", note.got], ["Hint", note.hint], ["Place", note.place]];
  const list = facts(pairs.filter(([, value]) => value));
  if (note.has_place) {
    const name = `Show where ${note.rule} was found`;
    list.lastChild.append(" ", make("button", { type: "button", class: "jump", "aria-label": name }, "Show"));
  }
  const link = make("a", { class: "id", href: `#note-${note.rule}` }, note.rule);
  entry.append(make("p", { class: "what" }, make("strong", {}, note.title), " ", link), list);
  return entry;
}

function foldedLtkm(exchange, item, ltkm, open) {
  const details = make("details", { class: "ltkm", "data-ltkm": ltkm.n }, make("summary", {}, ltkm.t));
  details.fill = () => {
    if (details.viewer) return;
    details.append(facts(ltkm.f.concat(ltkm.k)));
    const flaws = all(`.finding[data-item="${item}"][data-ltkm="${ltkm.n}"]`, exchange);
    details.viewer = viewer(ltkm, flaws, `LTKM ${ltkm.n} of ${item ? `item ${item}` : "no item"}`);
    details.append(details.viewer.element);
  };
  if (open) {
    details.fill();
    details.open = true;
  }
  return details;
}

document.addEventListener("toggle", (event) => {
  if (!event.target.open) return;
  if (event.target.matches("details.exchange")) fill(event.target);
  if (event.target.fill) event.target.fill();
}, true);

function open(exchange) {
  if (!exchange) return;
  exchange.hidden = false;
  fill(exchange);
  exchange.open = true;
  one("summary", exchange).focus({ preventScroll: true });
  exchange.scrollIntoView({ block: "start" });
}

function jump(button) {
  const finding = button.closest(".finding");
  const { item, ltkm, start } = finding.dataset;
  const exchange = finding.closest(".exchange");
  if (start === undefined && exchange.evidence && exchange.evidence.show(finding)) return;
  const section = one(`.item[data-item="${item}"]`, exchange);
  if (!section) return;
  const details = ltkm === undefined ? null : one(`.ltkm[data-ltkm="${ltkm}"]`, section);
  if (details) {
    details.fill();
    details.open = true;
    details.viewer.show(finding);
  } else {
    one("h4", section).focus({ preventScroll: true });
    section.scrollIntoView({ block: "center" });
  }
}
