"use strict";
(() => {
  const MASK = "--";
  const ACROSS = 16;
  const UNFOLDED_LTKMS = 3;
  const kept = { forget: null }; // what puts out the place that is lit

  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
  const one = (selector, within = document) => within.querySelector(selector);

  /** Make an element; what stands in it is text, whatever it looks like. */
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  const facts = (pairs) =>
    make("dl", { class: "facts" }, ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", { class: "wire" }, value)]));

  // ---- an exchange that is opened: its facts, items and LTKMs are made from the data beside it ----

  function fill(exchange) {
    if (exchange.dataset.filled) return;
    exchange.dataset.filled = "yes";
    const data = JSON.parse(one("script", exchange).textContent);
    const inside = one(".inside", exchange);
    inside.append(make("section", { class: "about", "aria-label": "The exchange" }, facts(data.f)));
    if (data.n.length) one(".told", exchange).append(make("section", { class: "aside", "aria-label": "Notes" }, make("h4", {}, "Notes"), make("ul", { class: "findings" }, ...data.n.map(noted))));
    const few = data.i.reduce((sum, item) => sum + item.l.length, 0) <= UNFOLDED_LTKMS;
    for (const item of data.i) {
      const title = item.n ? `Item ${item.n}` : "Outside every item";
      const section = make("section", { class: "item", "data-item": item.n, "aria-label": title }, make("h4", { tabindex: "-1" }, title), facts(item.f));
      for (const ltkm of item.l) section.append(foldedLtkm(exchange, item.n, ltkm, few));
      inside.append(section);
    }
  }

  /** A note, with the same attributes by which the page finds the place of a finding. */
  function noted(note) {
    const entry = make("li", { class: "finding note", "data-rule": note.rule, "data-path": note.path });
    for (const name of ["item", "ltkm", "start", "end"]) if (note[name] !== null) entry.dataset[name] = note[name];
    const said = [["Expected", note.expected], ["Got", note.got], ["Look at", note.hint], ["Place", note.place]].filter(([, value]) => value);
    const list = make("dl", { class: "facts" }, ...said.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
    if (note.item !== null) list.lastChild.append(" ", make("button", { type: "button", class: "jump", "aria-label": `Show where ${note.rule} was found` }, "Show"));
    entry.append(make("p", { class: "what" }, make("strong", {}, note.title), " ", make("a", { class: "id", href: `#note-${note.rule}` }, note.rule)), list);
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

  /** The tree of an LTKM beside its octets; what is looked at on one side is lit on the other. */
  function viewer(ltkm, findings, title) {
    const fields = ltkm.r.map(([depth, name, path, value, start, end]) => ({ depth, name, path, value, start, end, flaws: [] }));
    const octets = ltkm.o.match(/../g) || [];
    const owner = new Array(octets.length).fill(-1); // the innermost field of each octet
    fields.forEach((field, index) => {
      for (let at = Math.max(field.start, 0); at < Math.min(field.end, octets.length); at++) owner[at] = index;
    });
    const flaws = findings.map((finding) => {
      const { start, end, path, rule } = finding.dataset;
      const span = start === undefined ? null : [Number(start), Number(end)];
      return { span, field: placeOf(fields, path, span), rule, violation: finding.classList.contains("violation"), note: finding.classList.contains("note") };
    });
    for (const flaw of flaws) if (flaw.field >= 0) fields[flaw.field].flaws.push(flaw);

    const tree = make("div", { class: "tree", role: "tree", "aria-label": `Fields of ${title}` });
    fields.forEach((field, index) => {
      const row = make("div", { class: `field d${Math.min(field.depth, 4)}`, role: "treeitem", "aria-level": field.depth + 1, tabindex: "-1", "data-field": index });
      row.append(make("span", { class: "name" }, field.name), make("span", { class: "value" }, field.value));
      for (const flaw of field.flaws) row.append(make("span", { class: `flaw ${levelOf(flaw)}` }, flaw.rule));
      if (field.start >= 0) row.append(make("span", { class: "at" }, spanText(field.start, field.end)));
      field.row = row;
      tree.append(row);
    });

    const grid = make("div", { class: "octets", role: "grid", "aria-label": `Octets of ${title}` });
    const cells = [];
    const letters = [];
    let band = -1;
    let odd = false;
    const bands = fields.filter((field) => field.depth === 0 && field.start >= 0);
    for (let from = 0; from < octets.length; from += ACROSS) {
      const line = make("div", { class: "row", role: "row" }, make("span", { class: "offset", role: "rowheader" }, from.toString(16).padStart(4, "0")));
      const ascii = make("span", { class: "ascii", "aria-hidden": "true" });
      for (let at = from; at < from + ACROSS; at++) {
        if (at >= octets.length) {
          line.append(make("span", {}));
          continue;
        }
        while (band + 1 < bands.length && bands[band + 1].start <= at) {
          band++;
          odd = band % 2 === 1;
        }
        const masked = octets[at] === MASK;
        const cell = make("span", { class: "octet", role: "gridcell", tabindex: "-1", "data-at": at }, masked ? "··" : octets[at]);
        const code = parseInt(octets[at], 16);
        const letter = make("span", {}, code > 32 && code < 127 ? String.fromCharCode(code) : "·");
        if (odd) cell.classList.add("odd");
        if (masked) cell.classList.add("masked");
        for (const flaw of flaws) {
          if (flaw.note || !flaw.span || at < flaw.span[0] || at >= flaw.span[1]) continue;
          cell.classList.add("flawed");
          cell.classList.toggle("doubtful", !flaw.violation);
        }
        cells.push(cell);
        letters.push(letter);
        line.append(cell);
        ascii.append(letter);
      }
      line.append(ascii);
      grid.append(line);
    }

    const readout = make("p", { class: "readout", "aria-hidden": "true" });
    const state = { lit: [], kept: null };

    /** Light a span of octets with the fields that stand there, and say what it is. */
    function light(where) {
      for (const element of state.lit) element.classList.remove("lit");
      state.lit = [];
      if (!where) {
        readout.textContent = "";
        return;
      }
      const { start, end } = where;
      for (let at = Math.max(start, 0); at < Math.min(end, octets.length); at++) state.lit.push(cells[at], letters[at]);
      for (const index of where.fields) state.lit.push(fields[index].row);
      for (const element of state.lit) element.classList.add("lit");
      readout.textContent = sayWhere(where);
    }

    function sayWhere({ start, end, fields: indices, at }) {
      const names = indices.map((index) => [fields[index].path, fields[index].value].filter(Boolean).join(": ")).join("; ");
      const rules = flaws.filter((flaw) => (flaw.span && flaw.span[0] < end && start < flaw.span[1]) || indices.includes(flaw.field)).map((flaw) => flaw.rule);
      const octet = at === undefined ? "" : `octet ${at}`;
      const span = start >= 0 && !(at !== undefined && end - start === 1) ? `octet${end - start === 1 ? "" : "s"} ${spanText(start, end)}` : "";
      return [octet, span, names, rules.length ? `broken: ${[...new Set(rules)].join(", ")}` : ""].filter(Boolean).join(" · ");
    }

    /** Keep a place lit, also when the pointer goes away; a place that another LTKM kept is no longer lit. */
    function keep(where) {
      if (kept.forget && kept.forget !== forget) kept.forget();
      kept.forget = forget;
      state.kept = where;
      light(where);
    }

    function forget() {
      state.kept = null;
      light(null);
    }

    const ofField = (index) => ({ start: fields[index].start, end: fields[index].end, fields: [index] });
    function ofOctet(at) {
      const inner = owner[at];
      if (inner < 0) return { start: at, end: at + 1, fields: [], at };
      const { start, end } = fields[inner];
      const same = fields.map((_, index) => index).filter((index) => fields[index].start === start && fields[index].end === end);
      // fields that share their octets, like the bits of one; but not a structure around its only field
      const deepest = Math.max(...same.map((index) => fields[index].depth));
      return { start, end, fields: same.filter((index) => fields[index].depth === deepest), at };
    }

    function under(target) {
      const row = target.closest(".field");
      if (row) return ofField(Number(row.dataset.field));
      const cell = target.closest(".octet");
      return cell ? ofOctet(Number(cell.dataset.at)) : null;
    }

    function rove(elements, element) {
      const before = elements.find((each) => each.tabIndex === 0);
      if (before) before.tabIndex = -1;
      if (element) element.tabIndex = 0;
    }

    const rows = fields.map((field) => field.row);
    rove(rows, rows[0]);
    rove(cells, cells[0]);

    function go(elements, from, key, down) {
      const last = elements.length - 1;
      const steps = { ArrowUp: from - down, ArrowDown: from + down, Home: 0, End: last };
      if (down > 1) Object.assign(steps, { ArrowLeft: from - 1, ArrowRight: from + 1, Home: from - (from % down), End: Math.min(from - (from % down) + down - 1, last) });
      const to = steps[key];
      return to === undefined || to < 0 || to > last ? null : elements[to];
    }

    const columns = make("div", { class: "columns" }, make("div", { class: "main" }, tree));
    const side = make("div", { class: "side" });
    if (octets.length) {
      side.append(make("div", { class: "dump" }, grid));
      if (octets.length < ltkm.l) side.append(make("p", { class: "hint" }, `The first ${octets.length} of ${ltkm.l} octets are shown.`));
      if (octets.includes(MASK)) side.append(make("p", { class: "hint" }, "·· stands for the octets of a key in the clear, which is not shown."));
    } else if (fields.length) {
      side.append(make("p", { class: "hint" }, "The octets are not in this report."));
    }
    side.append(readout);
    columns.append(side);
    const element = make("div", { class: "viewer" });
    if (fields.length) {
      element.append(make("p", { class: "hint" }, "Hover or focus a field or an octet. Arrow keys move; Enter goes to the other side."), columns);
    } else {
      element.append(make("p", { class: "hint" }, "There is no message to show."));
    }
    if (ltkm.m) element.append(make("p", { class: "hint" }, `Only the first ${fields.length} fields are shown.`));

    columns.addEventListener("pointermove", (event) => {
      const where = hasMoved(event) && under(event.target);
      if (where) light(where);
    });
    columns.addEventListener("pointerleave", () => light(state.kept));
    columns.addEventListener("focusin", (event) => {
      const where = under(event.target);
      if (!where) return;
      rove(event.target.matches(".octet") ? cells : rows, event.target);
      event.target.setAttribute("aria-label", event.target.matches(".octet") ? `${event.target.textContent}, ${sayWhere(where)}` : sayWhere(where));
      keep(where);
    });
    columns.addEventListener("click", (event) => {
      const target = event.target.closest(".field, .octet");
      if (target) target.focus({ preventScroll: true });
    });
    columns.addEventListener("keydown", (event) => {
      const { target, key } = event;
      const isOctet = target.matches(".octet");
      if (!isOctet && !target.matches(".field")) return;
      let next = null;
      if (key === "Enter" && isOctet) {
        const inner = ofOctet(Number(target.dataset.at)).fields[0];
        next = inner === undefined ? null : rows[inner];
      } else if (key === "Enter") {
        next = cells[fields[Number(target.dataset.field)].start] || null;
      } else if (!event.ctrlKey && !event.altKey && !event.metaKey) {
        next = isOctet ? go(cells, Number(target.dataset.at), key, ACROSS) : go(rows, Number(target.dataset.field), key, 1);
      }
      if (!next) return;
      event.preventDefault();
      next.focus();
      next.scrollIntoView({ block: "nearest" });
    });

    return {
      element,
      /** Show where a finding is: focus its field, else its first octet, and light its octets. */
      show(finding) {
        const flaw = flaws[findings.indexOf(finding)];
        const at = flaw.span && cells[flaw.span[0]];
        const row = flaw.field >= 0 ? rows[flaw.field] : rows[0];
        const target = at || row;
        if (!target) return;
        target.focus({ preventScroll: true });
        if (row) row.scrollIntoView({ block: "nearest" });
        target.scrollIntoView({ block: "center" });
        const fieldsOf = flaw.field >= 0 ? [flaw.field] : [];
        const span = flaw.span || (flaw.field >= 0 ? [fields[flaw.field].start, fields[flaw.field].end] : null);
        if (!span) return;
        keep({ start: span[0], end: span[1], fields: fieldsOf });
      },
    };
  }

  /** Whether the reader moved the pointer, and not only the page below it, as when it scrolls to a place. */
  const pointer = {};
  function hasMoved({ screenX, screenY }) {
    const moved = pointer.x !== screenX || pointer.y !== screenY;
    Object.assign(pointer, { x: screenX, y: screenY });
    return moved;
  }
  document.addEventListener("pointerdown", hasMoved);

  const levelOf = (flaw) => (flaw.violation ? "violation" : flaw.note ? "note" : "warning");
  const spanText = (start, end) => (end - start === 1 ? `${start}` : `${start}–${end - 1}`);

  /** The field that a finding is at: that of its path, else the innermost around its octets, else the nearest above. */
  function placeOf(fields, path, span) {
    const byPath = fields.findIndex((field) => path && field.path === path);
    if (byPath >= 0) return byPath;
    let found = -1;
    if (span) fields.forEach((field, index) => { if (field.start <= span[0] && field.end >= span[1] && field.start >= 0) found = index; });
    for (let above = path; found < 0 && above; ) {
      above = above.slice(0, Math.max(above.lastIndexOf("."), 0));
      found = fields.findIndex((field) => field.path === above);
    }
    return found;
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
    const { item, ltkm } = finding.dataset;
    const section = one(`.item[data-item="${item}"]`, finding.closest(".exchange"));
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

  // ---- the filter ----

  const form = one(".filter");
  const exchanges = all("details.exchange");
  const words = one("#words"), byRule = one("#by-rule"), byTerminal = one("#by-terminal"), shown = one("#shown");

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
    for (const group of all(".group")) one(".none", group).hidden = Boolean(one("details.exchange:not([hidden])", group)) || !one("details.exchange", group);
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

  // ---- the timeline ----

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
      only(byTerminal, one("button.who", mark.closest(".line")).dataset.terminal);
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

  // ---- clicks, links and the theme ----

  document.addEventListener("click", (event) => {
    const { target } = event;
    const mark = target.closest(".strip use");
    if (mark) followMark(mark);
    else if (target.matches(".jump")) jump(target);
    else if (target.matches(".only-rule")) only(byRule, target.dataset.rule);
    else if (target.matches("button.who")) only(byTerminal, target.dataset.terminal);
  });

  function follow() {
    // the target of a link is one of our own ids, which need no decoding
    const target = document.getElementById(location.hash.slice(1));
    if (!target) return;
    if (target.matches("details.exchange")) open(target);
    else if (target.matches("details")) target.open = true;
  }
  addEventListener("hashchange", follow);
  follow();

  const theme = one("#theme");
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const sayTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.setAttribute("aria-label", "Change between light and dark");
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    sayTheme();
  });
  dark.addEventListener("change", sayTheme);
  sayTheme();
})();
