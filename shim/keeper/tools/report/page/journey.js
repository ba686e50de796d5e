/* The way of a piece of data from one program to the other, step by step. */
const WHY = {full: "it is full", idle: "nothing that was not full was in flight, so Nagle's rule let it go", nodelay: "the program set TCP_NODELAY",
  uncorked: "a cork was pulled, or had lasted too long", fin: "it is the last", record: "the program ended a record there (MSG_EOR)",
  window: "it is as much as the peer's small window takes", again: "it was lost", probe: "the peer is asked for a sign of life"};
const HELD = {Nagle: "Nagle's rule, until what was sent before was acknowledged", cork: "a cork (TCP_CORK, MSG_MORE or autocorking)",
  "peer-window": "the peer's window", cwnd: "the congestion window", pacing: "pacing", ring: "a full transmit queue"};
const STATIONS = ["program", "send buffer", "TCP", "IP", "Ethernet", "wire", "receive buffer", "TCP's answer", "program"];
let playing = null;

function stopPlaying() {
  if (playing) clearInterval(playing);
  playing = null;
  if ($("play")) $("play").textContent = "play";
}

/* The stations as a picture, down one host and up the other, with the data at one of them. */
function picture() {
  const svg = (tag, attributes, ...children) => { const made = document.createElementNS("http://www.w3.org/2000/svg", tag); for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value); made.append(...children); return made; };
  const places = STATIONS.map((_, i) => i < 5 ? [70, 24 + i * 44] : i === 5 ? [240, 200] : [410, 200 - (i - 5) * 58]);
  const made = svg("svg", {class: "way", viewBox: "0 0 480 224", role: "img", "aria-label": "the way from one program to the other"},
    svg("path", {d: "M" + places.map(p => p.join(" ")).join("L")}),
    ...places.map(([x, y], i) => svg("g", {"data-station": i}, svg("rect", {x: x - 58, y: y - 14, width: 116, height: 28, rx: 7}), svg("text", {x, y: y + 4}, STATIONS[i]))),
    svg("circle", {r: 7, cx: places[0][0] - 50, cy: places[0][1], id: "packet"}));
  made.places = places;
  return made;
}

/* Marks a step, from 0, in the picture and in the list. */
function mark(box, step) {
  box.querySelectorAll(".step").forEach((one, i) => one.classList.toggle("now", i === step));
  box.querySelectorAll("[data-station]").forEach((one, i) => one.classList.toggle("on", i === step));
  const packet = box.querySelector("#packet"), place = box.querySelector(".way").places[step];
  packet.setAttribute("cx", place[0] - 50); packet.setAttribute("cy", place[1]);
  box.dataset.step = step;
}

function journey(c) {
  const from = state.from, own = c.segments.filter(s => s[SIDE] === from && s[LEN] > 0);
  if (!own.length) return [sideBar(), el("p", {}, "This side sent no data.")];
  if (state.step === null || state.step >= own.length) state.step = 0;
  const step = state.step, go = to => { state.step = to; drawView(); };
  const s = own[step], a = c.sides[from], b = c.sides[1 - from], note = s[SAMPLE] ? c.samples[s[SAMPLE] - 1] : null, size = a.largest || s[LEN];
  const six = a.place.startsWith("["), ip = six ? 40 : 20, count = Math.max(1, Math.ceil(s[LEN] / size)), headers = s[FRAME] - s[LEN], tcp = Math.max(20, headers - 14 - ip);
  const acked = c.leftOut ? null : c.segments.find(o => o[SIDE] !== from && o[TIME] >= s[TIME] && o[FLAGS] & 16 && o[ACK] >= s[SEQ] + s[LEN]);
  const later = c.leftOut ? null : c.segments.find(o => o[SIDE] === from && o[TIME] > s[TIME] && o[SEQ] <= s[SEQ] && o[SEQ] + o[LEN] > s[SEQ]);
  const strip = parts => el("div", {class: "bytes"}, ...parts.map(([name, width, shade]) => el("span", {style: `flex:${Math.max(width, s[LEN] / 30)} 1 0;background:${color(shade)}`, title: name + ", " + width + " bytes"}, name + " " + width)));
  const at = (number, far, title, ...text) => el("div", {class: "step" + (far ? " far" : ""), onclick() { mark(box, number - 1); }}, el("span", {class: "dot"}, String(number)), el("div", {}, el("b", {}, title), ...text.filter(t => t).map(t => t instanceof Node ? t : el("p", {}, t))));
  const box = el("div", {},
    el("div", {class: "bar"}, el("button", {id: "play", onclick(event) {
      if (playing) { stopPlaying(); return; }
      event.currentTarget.textContent = "pause";
      let next = Number(box.dataset.step || 0) + 1; if (next >= STATIONS.length) next = 0;
      mark(box, next);
      playing = setInterval(() => { const now = Number(box.dataset.step) + 1; if (now >= STATIONS.length) stopPlaying(); else mark(box, now); }, 1300);
    }}, "play"), el("button", {id: "onestep", onclick() { stopPlaying(); mark(box, (Number(box.dataset.step || 0) + 1) % STATIONS.length); }}, "one step")),
    picture(),
    el("div", {class: "steps"},
      at(1, false, "The program at " + a.place + (from === c.local && c.process ? ", " + c.process + "," : "") + " writes", "Its bytes are copied into the socket's send buffer; write(2) returns then, whether they have left or not."),
      at(2, false, "The send buffer", note ? `${bytes(note[4])} were in flight and ${bytes(note[5])} waited behind them. The peer's window was ${bytes(note[7])}, the congestion window ${bytes(note[0])}.` : "What the program wrote waits here until TCP may send it, and then until it is acknowledged."),
      at(3, false, "TCP cuts " + (count > 1 ? `${count} segments of up to ${size} bytes` : `a segment of ${s[LEN]} bytes`),
        `The largest that the peer takes is ${b.mss || "not seen"}.` + (count > 1 ? " They leave the machine as one train, which the network card cuts." : ""),
        note && note[10] ? `It left because ${WHY[note[10]] || note[10]}.` + (note[11] && note[11] !== "nothing" ? ` Before that it was held back for ${us(note[9])} by ${HELD[note[11]] || note[11]}.` : "") : null,
        s[MARKS] ? "Marked: " + marks(s[MARKS]).join(", ") + "." : null, strip([["TCP", tcp, "win"], ["data", s[LEN], "a"]])),
      at(4, false, "IP puts its header in front", `A packet with ${s[TTL]} as ${six ? "hop limit" : "time to live"}: so many routers may pass it on.`, strip([["IP", ip, "b"], ["TCP", tcp, "win"], ["data", s[LEN], "a"]])),
      at(5, false, "Ethernet makes a frame of it", `Addressed to the next hop's card, whose address ${six ? "neighbour discovery" : "ARP"} found; on the wire a preamble goes before and a check sequence behind.`, strip([["Eth", 14, "warn"], ["IP", ip, "b"], ["TCP", tcp, "win"], ["data", s[LEN], "a"]])),
      at(6, false, "The wire", later && later !== s && later[MARKS] & 9 ? `It was sent again at ${us(later[TIME])}: what is shown here did not arrive, or its acknowledgment did not.` : "Hubs repeat it, switches send it on by its address, routers take it out of its frame and put it into the next."),
      at(7, true, b.place + " takes it in", "The card checks the frame, IP its header, TCP the checksum; the bytes go to their place in the receive buffer by their number."),
      at(8, true, acked ? "It acknowledges " + (acked[ACK] - 1) + " after " + us(acked[TIME] - s[TIME]) : c.leftOut ? "It acknowledges" : "No acknowledgment was seen", acked ? `Packet ${acked[NUMBER]}, which offers a window of ${bytes(acked[WIN])}` + (acked[WIN] === 0 ? ": the program there does not read." : ".") : null),
      at(9, true, "The program there reads", "read(2) copies the bytes out, the buffer has room again, and the window opens.")));
  mark(box, 0);
  return [sideBar(), el("div", {class: "bar"}, el("button", {id: "previous", onclick() { go(Math.max(0, step - 1)); }}, "‹ before"),
    el("span", {id: "position"}, `piece ${step + 1} of ${own.length}: bytes ${s[SEQ]} to ${s[SEQ] + s[LEN] - 1}, at ${us(s[TIME])}`),
    el("button", {id: "next", onclick() { go(Math.min(own.length - 1, step + 1)); }}, "next ›"),
    el("button", {id: "odd", onclick() { const i = own.findIndex((o, i) => i > step && o[MARKS] & SERIOUS); if (i >= 0) go(i); }}, "next odd one")), box];
}
