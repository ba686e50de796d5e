/* Graphs over time, drawn on canvases; all of those in a view show the same stretch of time, and one cursor. */
const charts = [];

/* Round numbers between two. */
function ticks(low, high, most) {
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].map(n => n * power).find(n => n >= raw), all = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) all.push(at);
  return all;
}

/* The place of the first point at or after a time, points being in order of time. */
function firstAt(points, time) {
  let low = 0, high = points.length;
  while (low < high) { const middle = (low + high) >> 1; if (points[middle][0] < time) low = middle + 1; else high = middle; }
  return low;
}

/* The highest and lowest of what is shown. */
function extent(series, x0, x1, free) {
  let low = Infinity, high = -Infinity;
  for (const s of series) if (s.kind !== "edge") for (let i = Math.max(0, firstAt(s.points, x0) - (s.kind === "line" ? 1 : 0)); i < s.points.length; i++) {
    const p = s.points[i];
    if (p[0] > x1) break;
    if (p[1] !== null) { low = Math.min(low, p[1]); high = Math.max(high, p[2] !== undefined && p[2] !== null ? p[2] : p[1]); }
  }
  if (low === Infinity) { low = 0; high = 1; }
  if (!free) low = Math.min(low, 0);
  if (high === low) high = low + 1;
  return [low, high + (high - low) * 0.05];
}

/* More points than pixels: of a line, the least and the most of each column. */
function thinned(points, x0, x1, width) {
  const from = Math.max(0, firstAt(points, x0) - 1), to = Math.min(points.length, firstAt(points, x1) + 1);
  if (to - from <= width * 4) return points.slice(from, to);
  const shown = [], column = (x1 - x0) / width;
  for (let i = from; i < to;) {
    const end = points[i][0] + column; let least = points[i], most = points[i], last = points[i];
    shown.push(points[i]);
    for (; i < to && points[i][0] < end; i++) { last = points[i]; if (last[1] === null) continue; if (least[1] === null || last[1] < least[1]) least = last; if (most[1] === null || last[1] > most[1]) most = last; }
    shown.push(...[least, most, last].sort((a, b) => a[0] - b[0]));
    if (points[i] && points[i][0] >= end && points[i] === last) i++;
  }
  return shown;
}

function drawSeries(g, s, at) {
  const {X, Y, x0, x1, width} = at;
  g.strokeStyle = g.fillStyle = color(s.color); g.lineWidth = s.width || 1.6;
  if (s.kind === "bars" || s.kind === "dots") {
    for (let i = firstAt(s.points, x0); i < s.points.length && s.points[i][0] <= x1; i++) {
      const p = s.points[i]; g.beginPath();
      if (s.kind === "dots") { g.arc(X(p[0]), Y(p[1]), 3, 0, 7); g.fill(); }
      else { g.lineWidth = s.width || 3; g.moveTo(X(p[0]), Y(p[1])); g.lineTo(X(p[0]), Math.min(Y(p[2]), Y(p[1]) - 2)); g.stroke(); }
    }
    return;
  }
  let last = null; g.beginPath(); if (s.dash) g.setLineDash(s.dash);
  for (const p of thinned(s.points, x0, x1, width)) {
    if (p[1] === null) { last = null; continue; }
    if (last === null) g.moveTo(X(p[0]), Y(p[1])); else { g.lineTo(X(p[0]), Y(last)); g.lineTo(X(p[0]), Y(p[1])); }
    last = p[1];
  }
  g.stroke(); g.setLineDash([]);
}

/*
 * A chart of series: {name, kind: "line", "bars", "dots" or "edge" (a line that does not rule the scale), color, points:
 * [[time, value, value above, words] in order of time]}. `options`: whole: its time from 0 to; span: get and set
 * functions of the stretch that is shown; free: the scale need not have 0 in it.
 */
function chart(title, height, series, format, options) {
  const about = () => {
    const told = series.filter(s => s.name && s.points.length).map(s => {
      const values = s.points.map(p => p[1]).filter(v => v !== null);
      return values.length ? `${s.name}: ${plural(values.length, "value")}, least ${format(values.reduce((a, b) => Math.min(a, b)))}, most ${format(values.reduce((a, b) => Math.max(a, b)))}, last ${format(values[values.length - 1])}` : "";
    });
    return title + ". " + told.filter(t => t).join("; ");
  };
  const canvas = el("canvas", {role: "img", "aria-label": about(), tabindex: "0"});
  const shown = () => series.filter(s => !state.hidden.has(s.name));
  const legend = el("div", {class: "legend"}, ...series.filter(s => s.name && s.points.length).map(s => el("button", {"aria-pressed": String(!state.hidden.has(s.name)),
    title: "hide or show", onclick(event) { if (!state.hidden.delete(s.name)) state.hidden.add(s.name); event.currentTarget.setAttribute("aria-pressed", String(!state.hidden.has(s.name))); draw(); }},
    swatch(s.color), s.name)));
  const box = el("figure", {style: "margin:0 0 12px"}, el("h2", {}, title), canvas, legend);
  canvas.style.height = height + "px";
  let at = null, cursor = null;
  function draw() {
    const scale = devicePixelRatio || 1, width = canvas.clientWidth, left = 62, bottom = 24;
    if (!width) return;
    canvas.width = width * scale; canvas.height = height * scale;
    const g = canvas.getContext("2d"); g.scale(scale, scale); g.font = "12px system-ui"; g.clearRect(0, 0, width, height);
    const [x0, x1] = options.span() || [0, Math.max(options.whole, 1)];
    let [low, high] = extent(shown(), x0, x1, options.free);
    if (high - low < 4 && format === bytes) high = low + 4;
    const X = x => left + (x - x0) / (x1 - x0) * (width - left - 8), Y = y => height - bottom - (y - low) / (high - low) * (height - bottom - 10);
    g.strokeStyle = color("grid"); g.fillStyle = color("soft"); g.lineWidth = 1;
    for (const y of ticks(low, high, height < 120 ? 2 : 5)) { g.beginPath(); g.moveTo(left, Y(y)); g.lineTo(width, Y(y)); g.stroke(); g.textAlign = "right"; g.fillText(format(y).replace(/\.0+(?= )/, ""), left - 6, Y(y) + 4); }
    for (const x of ticks(x0, x1, width < 500 ? 3 : 6)) { const text = us(x).replace(/\.0+(?= )/, ""), half = g.measureText(text).width / 2;
      g.textAlign = "center"; g.fillText(text, Math.min(Math.max(X(x), left + half), width - half), height - 6); }
    g.save(); g.beginPath(); g.rect(left, 0, width - left, height - bottom); g.clip();
    at = {x0, x1, left, width, height, X, Y};
    for (const s of shown()) drawSeries(g, s, at);
    if (options.selected && options.selected()) { const [a, b] = options.selected(); g.globalAlpha = 0.15; g.fillStyle = color("a"); g.fillRect(X(a), 0, X(b) - X(a), height); g.globalAlpha = 1; }
    if (cursor !== null) { g.strokeStyle = color("soft"); g.lineWidth = 1; g.beginPath(); g.moveTo(X(cursor), 0); g.lineTo(X(cursor), height); g.stroke(); }
    g.restore();
  }
  const time = event => { const frame = canvas.getBoundingClientRect(); return at.x0 + (event.clientX - frame.left - at.left) / (at.width - at.left - 8) * (at.x1 - at.x0); };
  const limit = (a, b) => { const whole = Math.max(options.whole, 1), size = Math.min(Math.max(b - a, 1, whole / 1e5), whole); a = Math.min(Math.max(a, 0), whole - size); options.set(size >= whole ? null : [a, a + size]); };
  const zoom = (around, factor) => { const size = (at.x1 - at.x0) * factor, share = (around - at.x0) / (at.x1 - at.x0); limit(around - share * size, around + (1 - share) * size); };
  let began = null, moved = null;
  canvas.addEventListener("pointerdown", event => { if (at) { if (event.shiftKey) moved = {x: event.clientX, x0: at.x0, x1: at.x1}; else began = time(event); } });
  canvas.addEventListener("pointerup", event => {
    if (began !== null && at) { const end = time(event); if (Math.abs(end - began) > (at.x1 - at.x0) / 100) limit(Math.min(began, end), Math.max(began, end)); }
    began = moved = null;
  });
  canvas.addEventListener("dblclick", () => options.set(null));
  canvas.addEventListener("wheel", event => { if (at && (event.ctrlKey || event.altKey)) { event.preventDefault(); zoom(time(event), event.deltaY > 0 ? 1.4 : 1 / 1.4); } }, {passive: false});
  canvas.addEventListener("keydown", event => {
    if (!at || event.ctrlKey || event.metaKey) return;
    const size = at.x1 - at.x0, middle = (at.x0 + at.x1) / 2;
    if (event.key === "ArrowLeft") limit(at.x0 - size / 5, at.x1 - size / 5);
    else if (event.key === "ArrowRight") limit(at.x0 + size / 5, at.x1 + size / 5);
    else if (event.key === "+" || event.key === "=") zoom(middle, 0.5);
    else if (event.key === "-") zoom(middle, 2);
    else if (event.key === "0") options.set(null);
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", event => {
    if (!at) return;
    if (moved) { const shift = (moved.x - event.clientX) / (at.width - at.left - 8) * (moved.x1 - moved.x0); limit(moved.x0 + shift, moved.x1 + shift); return; }
    const t = time(event), y = event.clientY - canvas.getBoundingClientRect().top;
    for (const other of charts) if (other.group === (options.group || "view")) other.point(t);
    showTip(event, nearest(shown(), t, y, at), format);
  });
  canvas.addEventListener("pointerleave", () => { $("tip").style.display = "none"; for (const other of charts) other.point(null); });
  charts.push({draw, group: options.group || "view", point(t) { const now = t !== null && at && t >= at.x0 && t <= at.x1 ? t : null; if (now !== cursor) { cursor = now; draw(); } }});
  requestAnimationFrame(draw);
  return box;
}

/* The point next to the pointer. */
function nearest(series, t, y, at) {
  const reach = (at.x1 - at.x0) / at.width * 24; let best = null, distance = 24;
  for (const s of series) for (let i = Math.max(0, firstAt(s.points, t - reach) - (s.kind === "line" ? 1 : 0)); i < s.points.length && s.points[i][0] <= t + reach; i++) {
    const p = s.points[i];
    if (p[1] === null) continue;
    const d = Math.hypot(at.X(p[0]) - at.X(t), s.kind === "line" ? (at.Y(p[1]) - y) / 8 : at.Y(p[1]) - y);
    if (d < distance) { distance = d; best = {point: p, name: s.name}; }
  }
  return best;
}
function showTip(event, best, format) {
  const tip = $("tip");
  tip.style.display = best ? "block" : "none";
  if (!best) return;
  tip.textContent = us(best.point[0]) + "  " + (best.name || "") + "  " + format(best.point[1]) + (best.point[3] ? "  " + best.point[3] : "");
  tip.style.left = Math.min(event.clientX + 14, innerWidth - 220) + "px"; tip.style.top = event.clientY + 14 + "px";
}
function redraw() { charts.forEach(one => one.draw()); }
addEventListener("resize", redraw);
