"""Looks at a page of barewire report in headless Chromium, by chromedriver (the WebDriver protocol), as a reader would:
clicks its views, findings and filters, on a desk and on a phone, in light and dark.

    browser.py PAGE.html FINDING [FOLDER-FOR-SCREENSHOTS]
"""
import base64, json, os, socket, subprocess, sys, tempfile, time, urllib.request

page, finding = sys.argv[1], sys.argv[2]
shots = sys.argv[3] if len(sys.argv) > 3 else None
profile = tempfile.mkdtemp()
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
    size(390, 1600)
    for view in ("journey", "sequence", "window", "buffers", "segments"):
        click("[data-view=%s]" % view)
        time.sleep(0.2)
        assert script("return document.documentElement.scrollWidth") <= 390, view
        shoot("phone-" + view)
    complaints = [entry for entry in ask("POST", session + "/se/log", {"type": "browser"}) if entry["level"] in ("SEVERE", "WARNING")]
    assert not complaints, complaints
    ask("DELETE", session)
    print("looked at")


try:
    main()
finally:
    driver.terminate()
    driver.wait()
    subprocess.run(["rm", "-rf", profile])
