// Request and response of an exchange, with marks for findings in the first line, in a field or in the body.

/** Split a path: the side (request or response), the part of it, and the directive of a field. */
function partOf(path) {
  const [, side, part, name, directive] = /^(request|response)(?:\.(\w+)(?:\.([^.]+)(?:\.(.+))?)?)?$/.exec(path) || [];
  return { side, part, name: (name || "").toLowerCase(), directive };
}

const flawLabel = (flaw) => make("span", { class: `flaw ${levelOf(flaw)}` }, flaw.rule);

/** The value of a field, with one directive in its own element. */
function valueOf(value, directives) {
  const span = make("span", { class: "value" });
  let rest = value;
  for (const directive of directives) {
    const name = directive.replace(/[^\w-]/g, "\\$&");
    const found = new RegExp(`(^|[\\s,])(${name}\\s*=\\s*(?:"[^"]*"|[^\\s,]*))`, "i").exec(rest);
    if (!found) continue;
    const at = found.index + found[1].length;
    span.append(rest.slice(0, at), make("mark", {}, found[2]));
    rest = rest.slice(at + found[2].length);
  }
  span.append(rest);
  return span;
}

/** A line of a request or response with its findings. */
function flawedLine(kind, flaws, ...parts) {
  const line = make("div", { class: `http ${kind}`, tabindex: "-1" }, ...parts);
  for (const flaw of flaws) {
    line.append(" ", flawLabel(flaw));
    flaw.target = line;
    line.classList.add("flawed", levelOf(flaw));
  }
  return line;
}

function fieldsOf(fields, flaws, kind) {
  const known = new Set(fields.map(([name]) => name.toLowerCase()));
  const lines = fields.map(([name, value]) => {
    const here = flaws.filter((flaw) => flaw.part.name === name.toLowerCase());
    const directives = here.map((flaw) => flaw.part.directive).filter(Boolean);
    return flawedLine(kind, here, make("span", { class: "key" }, `${name}:`), " ", valueOf(value, directives));
  });
  return { lines, left: flaws.filter((flaw) => !known.has(flaw.part.name)) };
}

/** The body in pieces of mark-up and text, each with its innermost element. */
function bodyOf(segments, flaws) {
  const body = make("pre", { class: "body wire" });
  const elements = [];
  const pieces = [];
  let inside = -1;
  for (const [text, marks] of segments) {
    const here = flaws.filter((flaw) => marks.includes(flaw.mark));
    for (const flaw of here.filter((each) => !each.target)) body.append(flawLabel(flaw), " ");
    for (const [part] of text.matchAll(/<[^<>]*>?|[^<]+/g)) {
      const [, close, name, empty] = /^<(\/?)([^\s<>/!?]+)[^<>]*?(\/?)>?$/.exec(part) || [];
      if (name && !close) inside = elements.push({ name, above: inside, start: pieces.length, end: Infinity }) - 1;
      const piece = make("span", { class: name ? "tag" : "text", "data-in": inside });
      piece.textContent = part;
      piece.marks = marks;
      pieces.push(piece);
      body.append(piece);
      for (const flaw of here) {
        if (!flaw.target) Object.assign(piece, { tabIndex: -1 });
        flaw.target = flaw.target || piece;
        piece.classList.add("flawed");
        piece.classList.toggle("doubtful", !here.some((each) => each.violation));
      }
      if (name && (close || empty)) {
        let closed = inside;
        while (close && closed >= 0 && elements[closed].name !== name) closed = elements[closed].above;
        if (closed >= 0) {
          elements[closed].end = pieces.length;
          inside = elements[closed].above;
        }
      }
    }
  }
  const readout = make("p", { class: "readout", "aria-hidden": "true" });
  const light = (index) => {
    for (const piece of pieces) piece.classList.remove("lit");
    const names = [];
    for (let at = index; at >= 0; at = elements[at].above) names.unshift(elements[at].name);
    readout.textContent = names.join(" / ");
    if (index >= 0) for (const piece of pieces.slice(elements[index].start, elements[index].end)) piece.classList.add("lit");
  };
  body.addEventListener("pointermove", (event) => {
    const piece = hasMoved(event) && event.target.closest("[data-in]");
    if (piece) light(Number(piece.dataset.in));
  });
  body.addEventListener("pointerleave", () => light(-1));
  return { body, readout, pieces };
}

/** One side of an exchange. */
function side(message, flaws) {
  const title = message.s === "request" ? "Request" : "Response";
  const mine = flaws.filter((flaw) => flaw.part.side === message.s);
  const isField = (flaw) => flaw.part.part === "headers" || flaw.part.part === "trailers";
  const ofBody = mine.filter((flaw) => flaw.part.part === "body");
  const ofLine = mine.filter((flaw) => !isField(flaw) && !ofBody.includes(flaw));
  const headers = fieldsOf(message.h, mine.filter(isField), "header");
  const trailers = fieldsOf(message.t, headers.left, "trailer");
  const section = make("section", { class: "side", "aria-label": title }, make("h4", {}, title));
  const lines = make("div", { class: "lines wire" }, flawedLine("start", ofLine, message.l), ...headers.lines);
  const missing = new Map();
  for (const flaw of trailers.left) missing.set(flaw.path, [...(missing.get(flaw.path) || []), flaw]);
  for (const here of missing.values()) {
    const name = make("span", { class: "key" }, `${here[0].path.split(".")[2]}:`);
    lines.append(flawedLine("header absent", here, name, " (missing)"));
  }
  if (trailers.lines.length) lines.append(make("div", { class: "hint" }, "Trailer"), ...trailers.lines);
  section.append(lines);
  const size = message.n === null ? "Body not captured" : `Body, ${message.n} octet${message.n === 1 ? "" : "s"}`;
  section.append(flawedLine("about-body", ofBody, size));
  if (message.b && message.b.length) {
    const { body, readout } = bodyOf(message.b, flaws.filter((flaw) => flaw.mark >= 0 && message.s === "response"));
    section.append(body, readout);
  }
  return section;
}

/** Request and response side by side; `show` goes to the place of a finding. */
function evidence(messages, findings) {
  const flaws = findings.map((finding) => {
    const { path, rule, mark, item } = finding.dataset;
    const [violation, note] = ["violation", "note"].map((level) => finding.classList.contains(level));
    const place = { mark: mark === undefined ? -1 : Number(mark), part: item === undefined ? partOf(path) : {} };
    return { finding, path, rule, violation, note, ...place, target: null };
  });
  const element = make("div", { class: "evidence" }, ...messages.map((message) => side(message, flaws)));
  function show(finding) {
    const target = flaws.find((flaw) => flaw.finding === finding)?.target;
    if (!target) return false;
    if (kept.forget) kept.forget();
    const { mark } = flaws.find((flaw) => flaw.finding === finding);
    const lit = mark < 0 ? [target] : all(".flawed", target.parentNode).filter((piece) => piece.marks.includes(mark));
    for (const each of lit) each.classList.add("lit");
    kept.forget = () => { for (const each of lit) each.classList.remove("lit"); };
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "center" });
    return true;
  }
  return { element, show };
}
