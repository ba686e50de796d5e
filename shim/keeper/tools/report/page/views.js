/* The views of a connection, and that of a flow. */
const spanOptions = more => Object.assign({whole: state.flow >= 0 ? data.flows[state.flow].durationUs : connection().durationUs, span: () => state.span,
  set(span) { state.span = span; redrawView(); }}, more);
const graph = (title, height, series, format, more) => chart(title, height, series, format, spanOptions(more));

function sideBar() {
  const c = connection();
  return el("div", {class: "bar"}, ...[0, 1].map(side => el("button", {"aria-pressed": String(state.from === side), "data-side": String(side),
    onclick() { state.from = side; state.step = null; drawView(); }}, "from " + c.sides[side].place)), zoomBar());
}
function zoomBar() {
  return el("span", {id: "zoom"}, state.span ? el("button", {onclick() { state.span = null; redrawView(); }}, "whole time") : el("span", {class: "soft"}, "drag over a graph to look closer"));
}
const sampled = c => c.segments.filter(s => s[SAMPLE]).map(s => [s, c.samples[s[SAMPLE] - 1]]);
const note = c => c.samples.length ? null : el("p", {class: "soft"}, "This capture has no notes of the sender's: make one with barewire --pcap to see the congestion window, the timers and the buffers.");
const thinNote = c => c.leftOut ? el("p", {class: "soft"}, `${c.leftOut} segments of this connection are left out, those that tell least first; rates and shares of time are of all.`) : null;

/* New bytes of a side over time: from its segments if all are there. */
function rate(c, side) {
  if (c.rates) return steps(c.rates[side]);
  if (c.durationUs < 1) return [];
  const width = Math.max(c.durationUs / 150, 1), series = {from: 0, width, bytes: []};
  let next = 0;
  for (const s of c.segments) {
    if (s[SIDE] !== side || !s[LEN]) continue;
    const slot = Math.min(Math.floor(s[TIME] / width), 150), fresh = Math.max(0, s[SEQ] + s[LEN] - Math.max(next, s[SEQ]));
    while (series.bytes.length <= slot) series.bytes.push(0);
    series.bytes[slot] += fresh; next = Math.max(next, s[SEQ] + s[LEN]);
  }
  return steps(series);
}
function flight(c) {
  let next = 0, acked = 0; const points = [];
  for (const s of c.segments) {
    if (s[SIDE] === state.from) next = Math.max(next, s[SEQ] + s[LEN]); else if (s[FLAGS] & 16) acked = Math.max(acked, s[ACK]);
    points.push([s[TIME], Math.max(0, next - acked)]);
  }
  return points;
}

const views = {
  sequence: ["Time and sequence", c => {
    const from = state.from, own = c.segments.filter(s => s[SIDE] === from && s[LEN] > 0), other = c.segments.filter(s => s[SIDE] !== from && s[FLAGS] & 16 && !(s[FLAGS] & 4));
    const bar = s => [s[TIME], s[SEQ], s[SEQ] + s[LEN], marks(s[MARKS]).join(", ")];
    return [sideBar(), graph("Bytes of " + c.sides[from].place + " over time", 380, [
      {name: c.scaleKnown ? "window's edge" : null, kind: "edge", color: "win", dash: [5, 4], points: c.scaleKnown ? other.map(s => [s[TIME], s[ACK] + s[WIN]]) : []},
      {name: "acknowledged", kind: "line", color: "b", points: other.map(s => [s[TIME], s[ACK]])},
      {name: "sent", kind: "bars", color: "a", points: own.filter(s => !(s[MARKS] & 25)).map(bar)},
      {name: "out of order", kind: "bars", color: "win", width: 5, points: own.filter(s => s[MARKS] & 16).map(bar)},
      {name: "SACK", kind: "bars", color: "soft", points: other.flatMap(s => { const blocks = []; for (let i = SACK; i + 1 < s.length; i += 2) blocks.push([s[TIME], s[i], s[i + 1]]); return blocks; })},
      {name: "duplicate ACK", kind: "dots", color: "warn", points: other.filter(s => s[MARKS] & 32).map(s => [s[TIME], s[ACK]])},
      {name: "zero window", kind: "dots", color: "ink", points: other.filter(s => s[MARKS] & 64).map(s => [s[TIME], s[ACK]])},
      {name: "sent again", kind: "bars", color: "bad", width: 5, points: own.filter(s => s[MARKS] & 9).map(bar)},
      {kind: "dots", color: "bad", points: own.filter(s => s[MARKS] & 9).map(bar)}], bytes, {free: true}),
      c.scaleKnown ? null : el("p", {class: "soft"}, "The handshake is not in the capture, so that what the windows' numbers mean is not known: they are not drawn."),
      graph("Rate", 170, [0, 1].map(side => ({name: "from " + c.sides[side].place, kind: "line", color: side ? "b" : "a", points: c.sides[side].bytes ? rate(c, side) : []})), persecond),
      thinNote(c)];
  }],
  window: ["Congestion and time", c => {
    const from = state.from, far = c.local >= 0 && from !== c.local, notes = far ? [] : sampled(c);
    return [sideBar(), far && c.samples.length ? el("p", {class: "soft"}, "The capture was made at the other end: this one's congestion window and timers are not in it, and what is in flight has partly arrived.") : note(c), thinNote(c), graph("In flight, and what limits it", 260, [
      {name: "congestion window", kind: "line", color: "a", points: notes.map(([s, n]) => [s[TIME], n[0]])},
      {name: "ssthresh", kind: "line", color: "warn", dash: [6, 4], points: notes.map(([s, n]) => [s[TIME], n[1] < 0 || n[1] > 1e9 ? null : n[1]])},
      {name: "peer's window", kind: "line", color: "win", dash: [2, 3], points: c.scaleKnown ? c.segments.filter(s => s[SIDE] !== from && s[FLAGS] & 16).map(s => [s[TIME], s[WIN]]) : []},
      {name: "in flight", kind: "line", color: "b", points: c.leftOut ? [] : flight(c)}], bytes),
      graph("Round trips", 220, [
      {name: "measured", kind: "dots", color: "a", points: c.segments.filter(s => s[RTT] && (far ? s[SIDE] === from : s[SIDE] !== from)).map(s => [s[TIME], s[RTT]])},
      {name: "smoothed (SRTT)", kind: "line", color: "b", points: notes.map(([s, n]) => [s[TIME], n[2] || null])}], us),
      notes.length ? graph("Retransmission timeout (RTO)", 160, [{name: "RTO", kind: "line", color: "bad", points: notes.map(([s, n]) => [s[TIME], n[3] || null])}], us) : null,
      graph("Rate", 140, [{name: "bytes a second, seen for the first time", kind: "line", color: "a", points: rate(c, from)}], persecond)];
  }],
  buffers: ["Buffers", c => {
    const notes = sampled(c);
    return [sideBar(), note(c), graph("Waiting in the send buffer", 220, [
      {name: "in flight", kind: "line", color: "b", points: notes.map(([s, n]) => [s[TIME], n[4]])},
      {name: "not sent yet", kind: "line", color: "warn", points: notes.map(([s, n]) => [s[TIME], n[5]])}], bytes),
      graph("Waiting for the program to read", 220, [{name: "in our receive buffer", kind: "line", color: "a", points: notes.map(([s, n]) => [s[TIME], n[6]])}], bytes),
      graph("Windows that are offered", 220, [0, 1].map(side => ({name: c.sides[side].place, kind: "line", color: side ? "b" : "a", points: c.segments.filter(s => s[SIDE] === side && s[FLAGS] & 16 && !(s[FLAGS] & 2)).map(s => [s[TIME], s[WIN]])})), bytes)];
  }],
  segments: ["Segments", c => {
    const names = Object.keys(MARK).filter(name => c.segments.some(s => s[MARKS] & MARK[name])), span = state.span;
    const wanted = c.segments.filter(s => (!state.mark || s[MARKS] & MARK[state.mark]) && (!span || (s[TIME] >= span[0] && s[TIME] <= span[1])));
    return [el("div", {class: "bar"}, ...names.map(name => el("button", {"aria-pressed": String(state.mark === name), "data-mark": name, onclick() { state.mark = state.mark === name ? "" : name; drawView(); }}, MARK_NAMES[name] || name)), zoomBar()),
      el("p", {class: "soft", id: "count"}, `${wanted.length} of ${c.segments.length} segments` + (wanted.length > 1000 ? ", the first 1000 are shown" : "") + (c.leftOut ? `; ${c.leftOut} are left out of this page` : "")),
      el("div", {class: "wide"}, el("table", {}, el("thead", {}, el("tr", {}, ...["packet", "time", "from", "flags", "seq", "length", "ack", "window", "marks, why it left"].map(h => el("th", {scope: "col"}, h)))),
        el("tbody", {}, ...wanted.slice(0, 1000).map(s => { const n = s[SAMPLE] ? c.samples[s[SAMPLE] - 1] : null; return el("tr", {onclick() { if (s[LEN]) { state.from = s[SIDE]; state.step = c.segments.filter(o => o[SIDE] === state.from && o[LEN] > 0).indexOf(s); state.view = "journey"; remember(); drawView(); } }},
          ...[s[NUMBER], us(s[TIME]), s[SIDE] ? "server" : "client", flags(s[FLAGS]), s[SEQ], s[LEN], s[ACK], s[WIN], [marks(s[MARKS]).join(", "), n && n[10] ? n[10] + (n[11] && n[11] !== "nothing" ? `, held ${us(n[9])} by ${n[11]}` : "") : ""].filter(t => t).join("; ")].map(v => el("td", {}, String(v)))); }))))];
  }],
  journey: ["Journey", c => journey(c)],
};

function flowView(f) {
  return [el("div", {class: "bar"}, zoomBar()), graph("Rate", 260, [0, 1].map(side => ({name: "from " + f.places[side], kind: "line", color: side ? "b" : "a", points: f.packets[side] ? steps(f.rates[side]) : []})), persecond)];
}

function forgetCharts() { for (let i = charts.length; i-- > 0;) if (charts[i].group === "view") charts.splice(i, 1); }
/* Another stretch of time: graphs draw themselves anew, tables are made anew. */
function redrawView() {
  if (state.flow < 0 && state.view === "segments") { drawView(); return; }
  redraw();
  if ($("zoom")) $("zoom").replaceWith(zoomBar());
}
function drawView() {
  forgetCharts(); stopPlaying();
  if (state.flow >= 0) {
    $("tabs").replaceChildren(); $("view").replaceChildren(...flowView(data.flows[state.flow]));
    return;
  }
  $("tabs").replaceChildren(...Object.entries(views).map(([name, [title]]) => el("button", {role: "tab", "aria-selected": String(state.view === name), "data-view": name, onclick() { state.view = name; remember(); drawView(); }}, title)));
  $("view").replaceChildren(...views[state.view][1](connection()).filter(part => part));
}
