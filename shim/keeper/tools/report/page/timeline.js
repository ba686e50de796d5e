/* All connections and flows over the time of the capture: a row each, as the network panel of a browser has them. */
const whole = Math.max(data.seconds * 1e6, 1);
let rows = [], shownRows = [];

/* A row: what it is called, when it was, the uses of its time, and what choosing it does. */
function makeRows() {
  data.connections.forEach((c, i) => rows.push({kind: "tcp", index: i, number: c.number, name: `${c.number}. ${c.sides[0].place} > ${c.sides[1].place}`, more: c.process,
    begin: c.beginUs, length: c.durationUs, bytes: c.sides[0].bytes + c.sides[1].bytes, harm: c.harmUs, findings: c.findings, slots: c.incomplete ? "" : c.slots, slotUs: c.slotUs}));
  for (const l of data.lines) rows.push({kind: "line", index: -1, number: l[0], name: `${l[0]}. ${l[1]} > ${l[2]}`, more: l[7], begin: l[3], length: l[4],
    bytes: l[5] + l[6], harm: 0, findings: [], wrong: l[9] > 0, slots: l[8] < 0 ? "" : String(l[8]), slotUs: Math.max(l[4], 1)});
  data.flows.forEach((f, i) => rows.push({kind: "udp", index: i, number: 1e9 + i, name: `UDP ${f.places[0]} > ${f.places[1]}`, more: f.kind, begin: f.beginUs, length: f.durationUs,
    bytes: f.bytes[0] + f.bytes[1], harm: f.unreachable ? 1e6 : 0, findings: [], slots: "", slotUs: 1}));
}

function drawChips() {
  const names = new Map();
  data.connections.forEach(c => c.findings.forEach(f => names.set(f.name, (names.get(f.name) || 0) + 1)));
  $("chips").replaceChildren(...[...names].map(([name, count]) => el("button", {"aria-pressed": String(state.word === name), "data-finding": name,
    onclick() { state.word = state.word === name ? "" : name; drawChips(); drawRows(); }}, name + " " + count)));
}

function chosenRow(row) {
  return row.kind === "udp" ? row.index === state.flow : row.kind === "tcp" && state.flow < 0 && row.index === state.chosen;
}
function chooseRow(row) {
  if (row.kind === "tcp") choose(row.index);
  else if (row.kind === "udp") chooseFlow(row.index);
}

/* The part of time that the rows show. */
const shownTime = () => state.window || [0, whole];

function bars(row) {
  const [x0, x1] = shownTime(), size = x1 - x0, made = [];
  const bar = (from, to, name) => {
    const a = Math.max(from, x0), b = Math.min(to, x1);
    if (b >= a) made.push(el("i", {style: `left:${(a - x0) / size * 100}%;width:${(b - a) / size * 100}%;background:var(--${name})`}));
  };
  if (!row.slots) { bar(row.begin, row.begin + row.length, row.kind === "udp" ? "b" : "soft"); return made; }
  for (let i = 0; i < row.slots.length;) { /* runs of the same use are one bar */
    let end = i;
    while (end < row.slots.length && row.slots[end] === row.slots[i]) end++;
    bar(row.begin + i * row.slotUs, Math.min(row.begin + end * row.slotUs, row.begin + row.length), "use" + row.slots[i]);
    i = end;
  }
  return made;
}

const ROW_HEIGHT = () => innerWidth <= 560 ? 46 : 30;
/* Only the rows that can be seen are there: a capture may have thousands. */
function drawVisible() {
  const list = $("list"), height = ROW_HEIGHT(), first = Math.max(0, Math.floor(list.scrollTop / height) - 4), count = Math.ceil((list.clientHeight || 330) / height) + 8;
  const printing = matchMedia("print").matches;
  list.replaceChildren(el("div", {style: `height:${shownRows.length * height}px`}), ...(printing ? shownRows.slice(0, 200) : shownRows.slice(first, first + count)).map((row, i) => {
    const owners = [...new Set(row.findings.map(f => f.whose))];
    return el("div", {class: "row", role: "option", id: "row" + row.kind + row.number, "aria-selected": String(chosenRow(row)), style: `top:${((printing ? 0 : first) + i) * height}px`, onclick() { chooseRow(row); },
      "aria-label": `${row.name} ${row.more}, ${bytes(row.bytes)}, from ${us(row.begin)} for ${us(row.length)}, ` + (owners.length ? "to blame: " + owners.map(w => OWNER[w]).join(", ") : row.wrong ? "something is wrong" : "clean")},
      el("span", {class: "who"}, ...owners.map(w => el("span", {class: "dot " + w, title: OWNER[w]})), row.wrong ? el("span", {class: "dot capture", title: "something is wrong; --text tells more"}) : null, row.name + " ", el("span", {class: "soft"}, [row.more, bytes(row.bytes), us(row.length)].filter(t => t).join(" · "))),
      el("span", {class: "line"}, ...bars(row)));
  }));
  const chosen = shownRows.find(chosenRow);
  if (chosen) list.setAttribute("aria-activedescendant", "row" + chosen.kind + chosen.number); else list.removeAttribute("aria-activedescendant");
}

function drawRows() {
  const [x0, x1] = shownTime(), wanted = state.filter.toLowerCase();
  const by = {time: (a, b) => a.begin - b.begin, harm: (a, b) => b.harm - a.harm, bytes: (a, b) => b.bytes - a.bytes, length: (a, b) => b.length - a.length}[state.order];
  shownRows = rows.filter(row => (!state.word || row.findings.some(f => f.name === state.word)) && row.begin <= x1 && row.begin + row.length >= x0 &&
    (!wanted || (row.name + " " + row.more).toLowerCase().includes(wanted))).sort((a, b) => by(a, b) || a.number - b.number);
  $("list").style.height = Math.min(330, Math.max(1, shownRows.length) * ROW_HEIGHT() + 2) + "px";
  drawVisible();
  const left = data.count - data.connections.length - data.lines.length;
  $("counted").textContent = (shownRows.length ? `${plural(shownRows.length, "row")} of ${rows.length}` : "No connection matches.") +
    (state.window ? `, from ${us(x0)} to ${us(x1)}` : "") + (data.lines.length ? `; the ${data.connections.length} worst connections have all their views` : "") +
    (left > 0 ? `; ${plural(left, "connection")} are not on this page` : "") + (data.flowCount > data.flows.length ? `; ${plural(data.flowCount - data.flows.length, "flow")} of UDP that carried less are not shown` : "");
}

function drawTotal() {
  const options = {whole, group: "total", span: () => null, selected: () => state.window, set(span) { state.window = span; drawTotal(); drawRows(); }};
  for (let i = charts.length; i-- > 0;) if (charts[i].group === "total") charts.splice(i, 1);
  $("total").replaceChildren(chart("Rate of everything in the capture", 110, [{name: "bytes a second, headers and all", kind: "line", color: "a", points: steps(data.rate)}], persecond, options),
    ...(state.window ? [el("div", {class: "bar"}, el("button", {id: "all-time", onclick() { options.set(null); }}, "whole time"))] : []));
}

/* Goes to another row, and brings it into sight. */
function moveChoice(by) {
  const at = shownRows.findIndex(chosenRow);
  let next = Math.max(0, Math.min(shownRows.length - 1, at + by));
  while (next >= 0 && next < shownRows.length && shownRows[next].kind === "line") next += Math.sign(by);
  if (next < 0 || next >= shownRows.length) return;
  chooseRow(shownRows[next]);
  const list = $("list"), height = ROW_HEIGHT(), top = next * height;
  if (top < list.scrollTop || top + height > list.scrollTop + list.clientHeight) list.scrollTop = top - list.clientHeight / 2;
  drawVisible();
}
function startTimeline() {
  makeRows();
  $("uses").replaceChildren(...USE.map((name, i) => el("span", {}, swatch("use" + i), name)), ...(data.flows.length ? [el("span", {}, swatch("b"), "a flow of UDP")] : []));
  $("list").addEventListener("scroll", drawVisible);
  $("list").addEventListener("keydown", event => {
    const by = {ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10}[event.key];
    if (by) { event.preventDefault(); moveChoice(by); }
  });
  addEventListener("resize", drawRows);
  addEventListener("beforeprint", drawVisible);
  drawChips(); drawTotal(); drawRows();
}
