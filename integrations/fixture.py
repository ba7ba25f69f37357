#!/usr/bin/env python3
"""Writes the hosts that a server is to have, for the `lab.py` of each server.

    fixture.py CERTIFICATES RUN PORT [FIXTURE OF AN OUTSIDE DRIVER]

CERTIFICATES is the folder that the driver made. Into RUN go `fixture.json` and a folder of documents for
each host. The hosts come from `world.toml` among the certificates, or from the file of an outside driver.
"""

import json
import pathlib
import sys
import tomllib


def read_world(certificates):
    """Returns the default host and the hosts of `world.toml`, as they are in the result."""
    world = tomllib.loads((certificates / "world.toml").read_text())
    hosts = [
        host(name, values["names"], certificates, values["certificate"], values.get("client_ca"))
        for name, values in world["virtual_hosts"].items()
    ]
    default = next(one["name"] for one in hosts if world["default_host"] in one["names"])
    return default, hosts


def read_outside(file, certificates):
    """Returns the same of an outside driver's file, whose paths begin at the driver's folder."""
    world = json.loads(file.read_text())
    stem = lambda path: path and pathlib.PurePath(path).stem
    hosts = [
        host(name, values["names"], certificates, stem(values["cert"]), stem(values["client_ca"]))
        for name, values in world["vhosts"].items()
    ]
    default = str(certificates / f"{stem(world['default_cert'])}.pem")
    return next(one["name"] for one in hosts if one["certificate"] == default), hosts


def host(name, names, certificates, certificate, client_ca):
    return {
        "name": name,
        "names": names,
        "certificate": str(certificates / f"{certificate}.pem"),
        "key": str(certificates / f"{certificate}.key"),
        "client_ca": client_ca and str(certificates / f"{client_ca}.pem"),
    }


def main():
    certificates, run = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    if len(sys.argv) > 4:
        default, hosts = read_outside(pathlib.Path(sys.argv[4]), certificates)
    else:
        default, hosts = read_world(certificates)
    for one in hosts:
        documents = run / "documents" / one["name"]
        documents.mkdir(parents=True)
        (documents / "index.html").write_text(f"vhost={one['name']}\n")
        one["documents"] = str(documents)
    fixture = {"default": default, "hosts": hosts, "ports": [int(sys.argv[3])]}
    (run / "fixture.json").write_text(json.dumps(fixture, indent=1))


main()
