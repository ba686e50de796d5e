"use strict";
/* The data, what it is made of, and the small things that all of the page uses. */
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);

/* Of a segment: what its numbers are (html.c, put_segments). */
const NUMBER = 0, TIME = 1, SIDE = 2, SEQ = 3, LEN = 4, ACK = 5, WIN = 6, FLAGS = 7, MARKS = 8, RTT = 9, FRAME = 10, TTL = 11,
  SAMPLE = 12, SACK = 13;
const MARK = {again: 1, needless: 2, timeout: 4, fills: 8, "out of order": 16, "duplicate ACK": 32, "zero window": 64,
  "window update": 128, probe: 256, small: 512, held: 1024, gap: 2048, "SYN again": 4096, "fills window": 8192};
const SERIOUS = 1 | 8 | 16 | 32 | 64 | 1024 | 4096;
const MARK_NAMES = {again: "sent again", fills: "sent again, late into a hole", needless: "needlessly", gap: "behind a hole",
  held: "held by Nagle's rule", small: "not full", "fills window": "fills the window"};
const OWNER = {network: "the network", sender: "the sending program", receiver: "the receiving program", host: "a host",
  capture: "the capture", fine: "nobody"};

/* What a connection's time goes for: names, by number (triage.h). */
const USE = data.uses;

/* What is chosen, and how it is looked at. */
const state = {chosen: 0, flow: -1, view: "sequence", span: null, filter: "", word: "", mark: "", from: 0, step: null,
  order: "time", window: null, hidden: new Set(), found: -1};
const connection = () => data.connections[state.chosen];

function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value);
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}
const us = t => t >= 1e6 ? (t / 1e6).toFixed(3) + " s" : t >= 1e3 ? (t / 1e3).toFixed(t < 1e4 ? 3 : 1) + " ms" : t.toFixed(0) + " µs";
const bytes = n => n >= 1e9 ? (n / 1e9).toFixed(2) + " GB" : n >= 1e6 ? (n / 1e6).toFixed(2) + " MB" : n >= 1e4 ? (n / 1e3).toFixed(1) + " KB" : Math.round(n) + " B";
const persecond = n => bytes(n) + "/s";
const percent = share => share >= 0.1 || share === 0 ? (share * 100).toFixed(0) + " %" : share < 0.001 ? "< 0.1 %" : (share * 100).toFixed(1) + " %";
const plural = (count, word) => count + " " + word + (count === 1 ? "" : "s");
const flags = f => ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"].filter((_, i) => f >> i & 1).join(" ");
const marks = m => Object.keys(MARK).filter(name => m & MARK[name]).map(name => MARK_NAMES[name] || name);
const color = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const dataSide = c => c.sides[1].bytes > c.sides[0].bytes ? 1 : 0;
const swatch = name => el("i", {style: "background:var(--" + name + ")"});

/* A series of bytes in slots (html.c, put_series) as steps of bytes a second, from a beginning. */
function steps(series) {
  const points = series.bytes.map((n, i) => [series.from + i * series.width, n / series.width * 1e6]);
  points.push([series.from + series.bytes.length * series.width, 0]);
  return points;
}

/* The place in the page's address: which connection or flow, and the view. */
function remember() {
  history.replaceState(null, "", "#" + (state.flow >= 0 ? "udp" + (state.flow + 1) : connection().number) + "/" + state.view);
}
