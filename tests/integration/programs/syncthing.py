#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The configurations of two stations of syncthing's that know each other, and nobody else, and share a folder:
syncthing.py HOME ADDRESS ID FOLDER HOME ADDRESS ID FOLDER; each HOME has what `syncthing generate` makes."""
import sys
import xml.etree.ElementTree as xml

stations = [sys.argv[1:5], sys.argv[5:9]]
for home, address, _, path in stations:
    file = home + "/config.xml"
    tree = xml.parse(file)
    root = tree.getroot()
    for kind in ("folder", "device", "gui", "options"):
        for element in root.findall(kind):
            root.remove(element)
    xml.SubElement(root, "gui", enabled="false")
    options = xml.SubElement(root, "options")
    for name, value in {
        "listenAddress": f"tcp://{address}:22000",
        "globalAnnounceEnabled": "false",
        "localAnnounceEnabled": "false",
        "relaysEnabled": "false",
        "natEnabled": "false",
        "urAccepted": "-1",
        "crashReportingEnabled": "false",
        "autoUpgradeIntervalH": "0",
    }.items():
        xml.SubElement(options, name).text = value
    folder = xml.SubElement(root, "folder", id="shared", path=path, type="sendreceive", rescanIntervalS="2")
    for _, other_address, identity, _ in stations:
        device = xml.SubElement(root, "device", id=identity, name=other_address)
        xml.SubElement(device, "address").text = f"tcp://{other_address}:22000"
        xml.SubElement(folder, "device", id=identity)
    tree.write(file)
