// An LTKM: the tree of its fields beside its octets. A place that is hovered on one side is highlighted on the other.

const MASK = "--";
const ACROSS = 16;
const kept = { forget: null }; // removes the highlight
const pointer = {};

const levelOf = (flaw) => (flaw.violation ? "violation" : flaw.note ? "note" : "warning");
const spanText = (start, end) => (end - start === 1 ? `${start}` : `${start}–${end - 1}`);

/** Whether the reader moved the pointer. When the page scrolls, only the page below the pointer moves. */
function hasMoved({ screenX, screenY }) {
  const moved = pointer.x !== screenX || pointer.y !== screenY;
  Object.assign(pointer, { x: screenX, y: screenY });
  return moved;
}
document.addEventListener("pointerdown", hasMoved);

/** The field of a finding: the one with its path, else the innermost around its octets, else the nearest parent. */
function placeOf(fields, path, span) {
  const byPath = fields.findIndex((field) => path && field.path === path);
  if (byPath >= 0) return byPath;
  let found = -1;
  fields.forEach(({ start, end }, index) => {
    if (span && start >= 0 && start <= span[0] && end >= span[1]) found = index;
  });
  for (let above = path; found < 0 && above; ) {
    above = above.slice(0, Math.max(above.lastIndexOf("."), 0));
    found = fields.findIndex((field) => field.path === above);
  }
  return found;
}

function flawsOf(findings, fields) {
  const flaws = findings.map((finding) => {
    const { start, end, path, rule } = finding.dataset;
    const span = start === undefined ? null : [Number(start), Number(end)];
    const [violation, note] = ["violation", "note"].map((level) => finding.classList.contains(level));
    return { span, field: placeOf(fields, path, span), rule, violation, note };
  });
  for (const flaw of flaws) if (flaw.field >= 0) fields[flaw.field].flaws.push(flaw);
  return flaws;
}

function treeOf(fields, title) {
  const tree = make("div", { class: "tree", role: "tree", "aria-label": `Fields of ${title}` });
  fields.forEach((field, index) => {
    const look = { class: `field d${Math.min(field.depth, 4)}`, role: "treeitem", "aria-level": field.depth + 1 };
    field.row = make("div", { ...look, tabindex: "-1", "data-field": index });
    field.row.append(make("span", { class: "name" }, field.name), make("span", { class: "value" }, field.value));
    for (const flaw of field.flaws) field.row.append(make("span", { class: `flaw ${levelOf(flaw)}` }, flaw.rule));
    if (field.start >= 0) field.row.append(make("span", { class: "at" }, spanText(field.start, field.end)));
    tree.append(field.row);
  });
  return tree;
}

function cellOf(octet, at, flaws) {
  const cell = make("span", { class: "octet", role: "gridcell", tabindex: "-1", "data-at": at });
  cell.textContent = octet === MASK ? "··" : octet;
  cell.classList.toggle("masked", octet === MASK);
  for (const flaw of flaws) {
    if (flaw.note || !flaw.span || at < flaw.span[0] || at >= flaw.span[1]) continue;
    cell.classList.add("flawed");
    cell.classList.toggle("doubtful", !flaw.violation);
  }
  return cell;
}

function letterOf(octet) {
  const code = parseInt(octet, 16);
  return make("span", {}, code > 32 && code < 127 ? String.fromCharCode(code) : "·");
}

/** The dump: lines of 16 octets with their characters; payloads alternate between two backgrounds. */
function dumpOf(octets, fields, flaws, title) {
  const cells = octets.map((octet, at) => cellOf(octet, at, flaws));
  const letters = octets.map(letterOf);
  const payloads = fields.filter((field) => field.depth === 0 && field.start >= 0);
  payloads.forEach(({ start, end }, index) => {
    if (index % 2) for (const cell of cells.slice(start, end)) cell.classList.add("odd");
  });
  const grid = make("div", { class: "octets", role: "grid", "aria-label": `Octets of ${title}` });
  for (let from = 0; from < octets.length; from += ACROSS) {
    const line = cells.slice(from, from + ACROSS);
    const offset = make("span", { class: "offset", role: "rowheader" }, from.toString(16).padStart(4, "0"));
    const blanks = Array.from({ length: ACROSS - line.length }, () => make("span", {}));
    const ascii = make("span", { class: "ascii", "aria-hidden": "true" }, ...letters.slice(from, from + ACROSS));
    grid.append(make("div", { class: "row", role: "row" }, offset, ...line, ...blanks, ascii));
  }
  return { grid, cells, letters };
}

/** The element that an arrow key goes to, in a list (`across` 1) or in a grid. */
function next(elements, from, key, across) {
  const last = elements.length - 1;
  const steps = { ArrowUp: from - across, ArrowDown: from + across, Home: 0, End: last };
  if (across > 1) {
    const first = from - (from % across);
    const end = Math.min(first + across - 1, last);
    Object.assign(steps, { ArrowLeft: from - 1, ArrowRight: from + 1, Home: first, End: end });
  }
  return elements[steps[key]] || null;
}

/** Make the one element that the Tab key stops at. */
function stopAt(elements, element) {
  const before = elements.find((each) => each.tabIndex === 0);
  if (before) before.tabIndex = -1;
  if (element) element.tabIndex = 0;
}

function viewer(ltkm, findings, title) {
  const fields = ltkm.r.map(([depth, name, path, value, start, end]) => {
    return { depth, name, path, value, start, end, flaws: [] };
  });
  const octets = ltkm.o.match(/../g) || [];
  const flaws = flawsOf(findings, fields);
  const tree = treeOf(fields, title);
  const rows = fields.map((field) => field.row);
  const { grid, cells, letters } = dumpOf(octets, fields, flaws, title);
  const readout = make("p", { class: "readout", "aria-hidden": "true" });
  const dump = octets.length ? [make("div", { class: "dump" }, grid)] : [];
  const side = make("div", { class: "side" }, ...dump, readout);
  const columns = make("div", { class: "columns" }, make("div", { class: "main" }, tree), side);
  let lit = [];
  let place = null; // the highlighted place while the pointer is elsewhere

  const owner = new Array(octets.length).fill(-1); // the innermost field of each octet
  fields.forEach((field, index) => {
    if (field.start >= 0) owner.fill(index, field.start, field.end);
  });

  const ofField = (index) => ({ start: fields[index].start, end: fields[index].end, fields: [index] });

  function ofOctet(at) {
    const inner = owner[at];
    if (inner < 0) return { start: at, end: at + 1, fields: [], at };
    const { start, end } = fields[inner];
    // fields that share their octets, like the bits of one; but not a structure around its only field
    const isSame = (field) => field.start === start && field.end === end && field.depth === fields[inner].depth;
    return { start, end, fields: fields.flatMap((field, index) => (isSame(field) ? [index] : [])), at };
  }

  function under(target) {
    const row = target.closest(".field");
    if (row) return ofField(Number(row.dataset.field));
    const cell = target.closest(".octet");
    return cell ? ofOctet(Number(cell.dataset.at)) : null;
  }

  function say({ start, end, fields: indices, at }) {
    const isOne = end - start === 1;
    const names = indices.map((index) => [fields[index].path, fields[index].value].filter(Boolean).join(": "));
    const isHere = ({ span, field }) => (span && span[0] < end && start < span[1]) || indices.includes(field);
    const broken = flaws.filter(isHere);
    const rules = [...new Set(broken.map((flaw) => flaw.rule))].join(", ");
    const parts = [
      at === undefined ? "" : `octet ${at}`,
      start >= 0 && !(at !== undefined && isOne) ? `octet${isOne ? "" : "s"} ${spanText(start, end)}` : "",
      names.join("; "),
      rules && `broken: ${rules}`,
    ];
    return parts.filter(Boolean).join(" · ");
  }

  /** Light octets with the fields that stand there, and say what they are. */
  function light(where) {
    for (const element of lit) element.classList.remove("lit");
    lit = [];
    if (where) {
      const [start, end] = [Math.max(where.start, 0), Math.max(where.end, 0)];
      lit = [...cells.slice(start, end), ...letters.slice(start, end), ...where.fields.map((index) => rows[index])];
    }
    for (const element of lit) element.classList.add("lit");
    readout.textContent = where ? say(where) : "";
  }

  /** Keep a place lit, also when the pointer goes away; a place that another LTKM kept is no longer lit. */
  function keep(where) {
    if (kept.forget && kept.forget !== forget) kept.forget();
    kept.forget = forget;
    place = where;
    light(where);
  }

  function forget() {
    place = null;
    light(null);
  }

  function across(target) {
    if (target.matches(".field")) return cells[fields[Number(target.dataset.field)].start];
    return rows[ofOctet(Number(target.dataset.at)).fields[0]];
  }

  stopAt(rows, rows[0]);
  stopAt(cells, cells[0]);
  columns.addEventListener("pointermove", (event) => {
    const where = hasMoved(event) && under(event.target);
    if (where) light(where);
  });
  columns.addEventListener("pointerleave", () => light(place));
  columns.addEventListener("focusin", ({ target }) => {
    const where = under(target);
    if (!where) return;
    const isOctet = target.matches(".octet");
    stopAt(isOctet ? cells : rows, target);
    target.setAttribute("aria-label", isOctet ? `${target.textContent}, ${say(where)}` : say(where));
    keep(where);
  });
  columns.addEventListener("click", (event) => {
    const target = event.target.closest(".field, .octet");
    if (target) target.focus({ preventScroll: true });
  });
  columns.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (!target.matches(".field, .octet") || event.ctrlKey || event.altKey || event.metaKey) return;
    const to =
      key === "Enter" ? across(target)
      : target.matches(".octet") ? next(cells, Number(target.dataset.at), key, ACROSS)
      : next(rows, Number(target.dataset.field), key, 1);
    if (!to) return;
    event.preventDefault();
    to.focus();
    to.scrollIntoView({ block: "nearest" });
  });

  const hint = (text) => make("p", { class: "hint" }, text);
  const element = make("div", { class: "viewer" });
  const use = "Hover or focus a field or an octet. Arrow keys move; Enter goes to the other side.";
  element.append(...(fields.length ? [hint(use), columns] : [hint("There is no message to show.")]));
  if (octets.length < ltkm.l) side.append(hint(`The first ${octets.length} of ${ltkm.l} octets are shown.`));
  if (octets.includes(MASK)) side.append(hint("·· replaces the octets of a hidden key."));
  if (fields.length && !octets.length) side.append(hint("The octets are not in this report."));
  if (ltkm.m) element.append(hint(`The first ${fields.length} fields are shown.`));

  /** Show where a finding is: focus its first octet, else its field, and light what it is about. */
  function show(finding) {
    const flaw = flaws[findings.indexOf(finding)];
    const field = fields[flaw.field];
    const row = field ? field.row : rows[0];
    const target = (flaw.span && cells[flaw.span[0]]) || row;
    if (!target) return;
    target.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    target.scrollIntoView({ block: "center" });
    const [start, end] = flaw.span || (field ? [field.start, field.end] : [-1, -1]);
    keep({ start, end, fields: field ? [flaw.field] : [] });
  }

  return { element, show };
}
