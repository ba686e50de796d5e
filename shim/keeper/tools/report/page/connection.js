/* What is known of the connection or flow that is chosen. */
function fact(name, value) { return el("div", {}, el("b", {}, name), value); }

function told(f, more) {
  return el("div", {class: "finding " + f.whose}, el("p", {}, el("span", {class: "badge " + f.whose}, OWNER[f.whose]), el("b", {}, f.title)), el("p", {}, f.text),
    f.advice ? el("p", {class: "soft"}, "To try: " + f.advice) : null, more);
}

/* The time of a connection as one bar, and its shares in words. */
function shares(c) {
  if (c.incomplete) return [el("p", {class: "soft"}, "The capture is not whole: what its time went for can't be said.")];
  const all = c.uses.reduce((a, b) => a + b, 0) || 1, parts = c.uses.map((n, i) => [n, i]).filter(([n]) => n > 0);
  return [el("div", {class: "share", role: "img", "aria-label": "its time: " + parts.map(([n, i]) => percent(n / all) + " " + USE[i]).join(", ")},
    ...parts.map(([n, i]) => el("i", {style: `flex:${n / all} 1 0;background:var(--use${i})`, title: `${USE[i]}: ${us(n)}, ${percent(n / all)}`}))),
    el("div", {class: "legend", id: "shares"}, ...parts.sort((a, b) => b[0] - a[0]).map(([n, i]) => el("span", {}, swatch("use" + i), `${USE[i]} ${us(n)} (${percent(n / all)})`)))];
}

function drawConnection() {
  const c = connection(), total = c.sides[0].bytes + c.sides[1].bytes;
  $("details").replaceChildren(el("h2", {}, `${c.number}. ${c.sides[0].place} > ${c.sides[1].place} `, el("span", {class: "soft"}, c.process)),
    el("div", {class: "facts"}, fact("began", us(c.beginUs)), fact("lasted", us(c.durationUs)), fact("handshake", c.handshakeUs ? us(c.handshakeUs) : "not seen"), fact("ended", c.end),
      ...c.sides.map(s => fact("sent by " + s.place, bytes(s.bytes) + (s.unseen ? ", and " + bytes(s.unseen) + " unseen" : ""))),
      fact("mean rate", c.durationUs > 0 ? persecond(total / c.durationUs * 1e6) : "-"),
      fact("round trip, least", c.minRttUs ? us(c.minRttUs) : "not seen"), fact("round trip, mean", c.meanRttUs ? us(c.meanRttUs) : "not seen")),
    el("h2", {}, "What its time went for"), ...shares(c),
    ...(c.findings.length ? c.findings.map(f => told(f, f.at >= 0 ? el("button", {"data-show": f.name, onclick() { show(f); }}, "show the first, at " + us(f.at)) : null)) :
      [el("div", {class: "finding fine"}, el("p", {}, el("b", {}, "Nothing is wrong with this connection.")), el("p", {}, "No loss, no closed window, nobody who kept the other waiting."))]));
}

function drawFlow() {
  const f = data.flows[state.flow];
  $("details").replaceChildren(el("h2", {}, `UDP ${f.places[0]} > ${f.places[1]} `, el("span", {class: "soft"}, f.kind)),
    el("div", {class: "facts"}, fact("began", us(f.beginUs)), fact("lasted", us(f.durationUs)),
      ...[0, 1].map(i => fact("sent by " + f.places[i], `${plural(f.packets[i], "datagram")}, ${bytes(f.bytes[i])}`)),
      fact("first answer after", f.packets[1] ? us(f.answerUs) : "none came"), fact("longest pause", us(f.pauseUs)),
      fact("mean rate", f.durationUs > 0 ? persecond((f.bytes[0] + f.bytes[1]) / f.durationUs * 1e6) : "-")),
    f.unreachable ? el("div", {class: "finding host"}, el("p", {}, el("b", {}, "ICMP says that it can't be reached.")), el("p", {}, "Nothing listens on that port, or there is no way to that host.")) : "");
}

/* Goes to the moment of a finding. */
function show(finding) {
  const c = connection();
  if (finding.side >= 0) state.from = ["zero-window", "duplicate-ack", "silly-window"].includes(finding.name) ? 1 - finding.side : finding.side;
  showMoment(finding.at);
}
function showMoment(at) {
  const c = connection(), width = Math.max(Math.min(c.minRttUs * 20, c.durationUs / 5), c.durationUs / 50, 1);
  state.span = [Math.max(0, at - width / 4), Math.max(Math.min(c.durationUs, at + width), 1)];
  state.view = "sequence";
  remember(); drawView(); $("views").scrollIntoView({behavior: "smooth"});
}

function choose(index) {
  state.chosen = index; state.flow = -1; state.span = null; state.step = null; state.mark = ""; state.found = -1;
  state.from = dataSide(connection());
  remember(); drawVisible(); drawConnection(); drawView();
}
function chooseFlow(index) {
  state.flow = index; state.span = null;
  remember(); drawVisible(); drawFlow(); drawView();
}

function drawVerdict() {
  const v = data.verdict;
  $("verdict").classList.add(v.whose);
  $("verdict").replaceChildren(el("p", {class: "sentence"}, el("b", {}, v.sentence)),
    v.sure ? el("p", {}, el("span", {class: "badge " + v.whose}, "this is " + v.sure), " " + v.sureWhy) : "",
    v.advice ? el("p", {}, el("b", {}, "To try: "), v.advice) : "",
    v.moments.length ? el("div", {class: "bar", id: "moments"}, "See it: ", ...v.moments.map(([index, at]) => el("button", {onclick() { choose(index); showMoment(at); }},
      `connection ${data.connections[index].number}, at ${us(at)}`))) : "",
    ...data.findings.map(f => told(f, null)));
}
