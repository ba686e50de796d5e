/* Puts the page together, and listens. */
$("summary").textContent = `${data.path}: ${data.packets} packets, ${bytes(data.bytes)}, ${data.seconds.toFixed(3)} s, ${plural(data.count, "TCP connection")}` +
  `; ${data.udp} packets of UDP, ${data.icmp} of ICMP, ${data.arp} of ARP`;
$("order").addEventListener("change", event => { state.order = event.target.value; drawRows(); });
$("search").addEventListener("input", event => { state.filter = event.target.value; drawRows(); });
$("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark"; redraw(); drawView();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

/* The next thing that was found in the chosen connection and has a time. */
function nextFound() {
  const c = connection(), found = c.findings.filter(f => f.at >= 0);
  if (!found.length || state.flow >= 0) return;
  state.found = (state.found + 1) % found.length;
  show(found[state.found]);
}
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const act = {j: () => moveChoice(1), k: () => moveChoice(-1), n: nextFound, "/": () => $("search").focus()}[event.key];
  if (act && data.connections.length) { event.preventDefault(); act(); }
});

drawVerdict();
startTimeline();
const wish = location.hash.match(/^#(udp)?(\d+)\/(\w+)$/);
if (wish && !wish[1] && Object.hasOwn(views, wish[3])) state.view = wish[3];
if (wish && wish[1] && data.flows[wish[2] - 1]) chooseFlow(wish[2] - 1);
else if (data.connections.length) {
  const wished = wish && !wish[1] ? data.connections.findIndex(c => c.number === Number(wish[2])) : -1;
  choose(wished >= 0 ? wished : data.connections.reduce((best, c, i) => c.harmUs > data.connections[best].harmUs ? i : best, 0));
}
else if (data.flows.length) chooseFlow(0);
else { $("details").hidden = $("views").hidden = true; }

/* A page of a live stack is written anew every so often: it shows the new one, at the same place. */
if (data.refresh) {
  $("live").textContent = "live";
  const kept = JSON.parse(sessionStorage.getItem("place") || "null");
  if (kept && kept.path === data.path) scrollTo(0, kept.y);
  setInterval(() => { if (playing || document.hidden || /^(INPUT|SELECT)$/.test(document.activeElement.tagName)) return; sessionStorage.setItem("place", JSON.stringify({path: data.path, y: scrollY})); location.reload(); }, data.refresh * 1000);
}
