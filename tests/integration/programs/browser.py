"""Looks at a page of barewire report in headless Chromium, by chromedriver (the WebDriver protocol), as a reader would:
clicks its views, findings and filters, by pointer and by key, on a desk, a tablet and a phone, in light and dark.

    browser.py PAGE.html FINDING|- [FOLDER-FOR-SCREENSHOTS]      (-: only whether all views are drawn)
"""
import base64, json, os, socket, subprocess, sys, tempfile, time, urllib.request

page, finding = sys.argv[1], sys.argv[2]
shots = sys.argv[3] if len(sys.argv) > 3 else None
profile = tempfile.mkdtemp()
sessions = []
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
driver = subprocess.Popen(["chromedriver", "--port=%d" % port], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ask(method, path, body=None):
    request = urllib.request.Request("http://127.0.0.1:%d%s" % (port, path), method=method,
                                     data=json.dumps(body).encode() if body is not None else None,
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["value"]


def main():
    for _ in range(100):
        try:
            if ask("GET", "/status")["ready"]:
                break
        except OSError:
            time.sleep(0.1)
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--disable-quic", "--user-data-dir=" + profile]
    session = "/session/" + ask("POST", "/session", {"capabilities": {"alwaysMatch": {
        "browserName": "chrome", "goog:chromeOptions": {"args": flags}, "goog:loggingPrefs": {"browser": "ALL"}}}})["sessionId"]
    sessions.append(session)
    script = lambda text, *arguments: ask("POST", session + "/execute/sync", {"script": text, "args": list(arguments)})

    def click(selector):
        element = ask("POST", session + "/element", {"using": "css selector", "value": selector})
        ask("POST", session + "/element/%s/click" % list(element.values())[0], {})

    def shoot(name):
        if shots:
            with open(os.path.join(shots, name + ".png"), "wb") as file:
                file.write(base64.b64decode(ask("GET", session + "/screenshot")))

    def size(width, height):
        ask("POST", session + "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}})

    drawn = "return [...document.querySelectorAll('#view canvas')].map(c => { const d = c.getContext('2d')" \
            ".getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; })"
    size(1200, 1600)
    ask("POST", session + "/url", {"url": "file://" + page})
    assert script("return document.querySelectorAll('#list .row').length") >= 1
    assert script("return document.querySelectorAll('.finding').length") >= 1

    for view, charts in (("journey", 0), ("sequence", 2), ("window", 2), ("buffers", 3), ("segments", 0)):
        click("[data-view=%s]" % view)
        time.sleep(0.2)
        pixels = script(drawn)
        assert len(pixels) >= charts and all(count > 500 for count in pixels), (view, pixels)
        assert script("return location.hash").endswith("/" + view)
        assert script("return document.querySelector('#view').innerText.length") > 20
        shoot(view)

    if finding == "-":
        print("looked at")
        return

    # The verdict stands first, says how sure it is, and leads to where it can be seen.
    assert len(script("return document.querySelector('#verdict .sentence').innerText")) > 20
    assert script("return !data.verdict.sure || document.querySelector('#verdict .badge').innerText.includes(data.verdict.sure)")
    if script("return data.verdict.moments.length") > 0:
        click("#moments button")
        time.sleep(0.3)
        assert script("return state.chosen === data.verdict.moments[0][0] && state.view === 'sequence' && state.span !== null")
        script("scrollTo(0, 0); state.span = null; drawView()")

    # Each row has the uses of its time; they are as long as the connection, and the bar of shares has them all.
    assert script("return [...document.querySelectorAll('#list .row')].every(r => r.querySelectorAll('.line i').length > 0)")
    assert script("const c = connection(); return Math.abs(c.uses.reduce((a, b) => a + b) - c.durationUs) < 2 && c.slots.length > 0")
    assert script("return document.querySelectorAll('.share i').length === connection().uses.filter(n => n > 0).length")

    # Keys and the wheel: a graph zooms and moves, all graphs of the view together; 0 shows everything.
    click("[data-view=sequence]")
    time.sleep(0.2)
    key = lambda selector, name: script("document.querySelector(arguments[0]).dispatchEvent(new KeyboardEvent('keydown', {key: arguments[1], bubbles: true}))", selector, name)
    key("#view canvas", "+")
    span = script("return state.span")
    assert span and abs(span[1] - span[0] - script("return connection().durationUs") / 2) < 2, span
    key("#view canvas", "ArrowRight")
    assert script("return state.span")[0] > span[0]
    script("const c = document.querySelectorAll('#view canvas')[1], r = c.getBoundingClientRect();"
           "c.dispatchEvent(new WheelEvent('wheel', {deltaY: -1, ctrlKey: true, clientX: r.left + r.width / 2, cancelable: true}))")
    assert script("return state.span[1] - state.span[0]") < span[1] - span[0]
    pixels = script(drawn)
    assert all(count > 300 for count in pixels), pixels
    shoot("keys")
    key("#view canvas", "0")
    assert script("return state.span === null")
    assert "least" in script("return document.querySelector('#view canvas').getAttribute('aria-label')")
    script("document.querySelector('#view .legend button').click()")
    assert script("return state.hidden.size") == 1
    script("document.querySelector('#view .legend button').click()")

    # A drag over the rate of everything leaves the rows of that time.
    script("const c = document.querySelector('#total canvas'), r = c.getBoundingClientRect(), at = (kind, x) => c.dispatchEvent(new PointerEvent(kind, {clientX: r.left + x, clientY: r.top + 20}));"
           "at('pointerdown', 70); at('pointerup', 300)")
    assert script("return state.window !== null && document.querySelector('#counted').innerText.includes('from')")
    click("#all-time")
    assert script("return state.window === null")

    # The journey goes on by itself, and step by step.
    click("[data-view=journey]")
    click("#onestep")
    assert script("return document.querySelectorAll('.step.now').length === 1 && document.querySelectorAll('.step')[1].classList.contains('now')")
    click("#play")
    time.sleep(1.6)
    assert script("return Number(document.querySelector('[data-step]').dataset.step)") >= 2
    click("#play")
    assert script("return playing === null")

    # Connections and flows are chosen by key; a flow of UDP has its own view.
    if script("return shownRows.filter(row => row.kind !== 'line').length") > 1:
        before = script("return [state.chosen, state.flow]")
        script("dispatchEvent(new KeyboardEvent('keydown', {key: 'k'})); dispatchEvent(new KeyboardEvent('keydown', {key: 'k'})); dispatchEvent(new KeyboardEvent('keydown', {key: 'j'}))")
        key("#list", "ArrowDown")
        assert script("return [state.chosen, state.flow]") != before or script("return shownRows.length") == 2
    if script("return data.flows.length") > 0:
        script("chooseFlow(0)")
        time.sleep(0.2)
        assert script(drawn)[0] > 300 and script("return location.hash").startswith("#udp1/")
        assert "datagram" in script("return document.querySelector('#details').innerText")
        shoot("flow")
    script("choose(data.connections.reduce((best, c, i) => c.harmUs > data.connections[best].harmUs ? i : best, 0))")
    click("[data-view=segments]")

    # A filter of the table leaves only what is marked so, and a row leads to that piece's journey.
    everything = script("return document.querySelectorAll('tbody tr').length")
    click("[data-mark]")
    assert 0 < script("return document.querySelectorAll('tbody tr').length") <= everything
    click("[data-mark]")
    click("tbody tr:nth-child(4)")
    position = lambda: script("return (document.querySelector('#position') || {}).innerText || ''")
    assert "piece" in position(), position()
    before = position()
    if not before.startswith("piece 1 of 1:"):
        click("#previous") if " 1 of" not in before[:10] else click("#next")
        assert position() != before

    # A finding leads to the place in time where it is.
    assert script("return document.querySelector('[data-finding]') !== null")
    click("[data-finding=%s]" % finding)
    assert script("return document.querySelectorAll('#list .row').length") >= 1
    click("[data-finding=%s]" % finding)
    if script("return document.querySelector('.finding button') !== null"):
        click(".finding button")
        time.sleep(0.5)
        assert script("return location.hash").endswith("/sequence")
        assert script(drawn)[0] > 500
        shoot("zoomed")

    # What is typed filters the connections.
    script("const s = document.getElementById('search'); s.value = 'no such place'; s.dispatchEvent(new Event('input'))")
    assert script("return document.querySelectorAll('#list .row').length") == 0
    script("const s = document.getElementById('search'); s.value = ''; s.dispatchEvent(new Event('input'))")
    assert script("return document.querySelectorAll('#list .row').length") >= 1

    # Light and dark, and a phone: nothing is wider than the screen.
    back = lambda: script("return getComputedStyle(document.body).backgroundColor")
    light = back()
    click("#theme")
    assert back() != light
    shoot("other-theme")
    for width, name in ((390, "phone"), (800, "tablet")):
        size(width, 1600)
        for view in ("journey", "sequence", "window", "buffers", "segments"):
            click("[data-view=%s]" % view)
            time.sleep(0.2)
            assert script("return document.documentElement.scrollWidth") <= width, (name, view)
            shoot(name + "-" + view)
    complaints = [entry for entry in ask("POST", session + "/se/log", {"type": "browser"}) if entry["level"] in ("SEVERE", "WARNING")]
    assert not complaints, complaints
    print("looked at")


try:
    main()
finally: # the browser ends with its session alone
    try:
        for one in sessions:
            ask("DELETE", one)
    except OSError:
        pass
    driver.terminate()
    driver.wait()
    subprocess.run(["rm", "-rf", profile])
