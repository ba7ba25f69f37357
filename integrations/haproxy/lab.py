#!/usr/bin/env python3
"""Writes HAProxy's configuration for the hosts of a fixture, and prints the command that starts it.

    lab.py FIXTURE.json OUT RUN ADDRESS PORT

OUT is the folder of the built module, RUN that of the configuration.
"""

import json
import pathlib
import sys

CONFIGURATION = """\
global
    log stderr local0 warning
    ssl-default-bind-options ssl-min-ver TLSv1.2
    lua-prepend-path {out}/?.lua
    lua-prepend-path {out}/?.so cpath
    lua-load-per-thread {run}/listener.lua

defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 5s

frontend lab
    bind {address}:{port} ssl crt-list {run}/crt-list alpn h2,http/1.1
    http-request lua.coalesce
    http-request return status 421 if {{ var(txn.coalesce_status) -m int 421 }}
    acl is_star url -m reg ^[^/]+://[^/]+$
    http-request return status 400 if is_star {{ req.ver 2.0 }} !METH_OPTIONS
    http-request return status 405 if {{ var(txn.coalesce_status) -m int 405 }}
    http-request return status 400 if {{ var(txn.coalesce_verdict) -m str malformed }}
    http-request return status 500 unless {{ var(txn.coalesce_verdict) -m str serve }}
{answers}
    http-request return status 404
"""

ANSWER = """\
    http-request return status 200 content-type text/html file {file} \
if {{ var(txn.coalesce_name) -m str {name} }}"""


def write_pair(run, host):
    """Returns the file of a certificate with its key, as HAProxy wants them."""
    pair = run / f"{host['name']}.pem"
    pair.touch(mode=0o600)
    files = (host["certificate"], host["key"])
    pair.write_text("".join(pathlib.Path(file).read_text() for file in files))
    return pair


def main():
    fixture, out, run = (pathlib.Path(path).resolve() for path in sys.argv[1:4])
    address, port = sys.argv[4:]
    fixture = json.loads(fixture.read_text())
    # The first certificate is the one for clients that send no server name.
    hosts = sorted(fixture["hosts"], key=lambda host: host["name"] != fixture["default"])
    crt_list, answers = [], []
    for host in hosts:
        clients = f" [verify required ca-file {host['client_ca']}]" if host["client_ca"] else ""
        crt_list.append(f"{write_pair(run, host)}{clients} {' '.join(host['names'])}\n")
        file = pathlib.Path(host["documents"]) / "index.html"
        answers += [ANSWER.format(file=file, name=name) for name in host["names"]]
    (run / "crt-list").write_text("".join(crt_list))
    ports = ", ".join(map(str, fixture["ports"]))
    (run / "listener.lua").write_text(
        f'require("coalesce").register {{ crt_list = "{run}/crt-list", ports = {{ {ports} }} }}\n'
    )
    configuration = run / "haproxy.cfg"
    configuration.write_text(
        CONFIGURATION.format(
            out=out, run=run, address=address, port=port, answers="\n".join(answers)
        )
    )
    # With a master process, which reloads.
    print("haproxy", "-W", "-f", configuration, sep="\n")


main()
