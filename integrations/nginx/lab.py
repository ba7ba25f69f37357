#!/usr/bin/env python3
"""Writes nginx's configuration for the lab, and prints the command that starts nginx.

    lab.py FIXTURE.json OUT RUN ADDRESS PORT

FIXTURE.json has the hosts, OUT the built module, RUN is the folder of this run.
"""

import json
import os
import sys
from pathlib import Path

HEAD = """\
load_module {module};
worker_processes 2;
daemon off;
pid {run}/nginx.pid;
error_log stderr error;
{user}
events {{
    worker_connections 1024;
}}

http {{
    coalesce on;
    log_format lab '$status $coalesce_verdict $coalesce_reason $host';
    access_log {run}/access.log lab;
    default_type text/plain;
    client_max_body_size 8m;
    # The default of 1000 would end a connection within one scenario.
    keepalive_requests 100000;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:lab:1m;
    client_body_temp_path {run}/client_body;
    proxy_temp_path {run}/proxy;
    fastcgi_temp_path {run}/fastcgi;
    uwsgi_temp_path {run}/uwsgi;
    scgi_temp_path {run}/scgi;
"""

SERVER = """
    server {{
        listen {address}:{port} ssl http2{default};
        server_name {names};
        coalesce_ports {ports};
        ssl_certificate {certificate};
        ssl_certificate_key {key};
{clients}\
        location / {{
            root {documents};
            # Each path and method has this answer, because the lab sends some that are unusual.
            error_page 403 404 405 =200 /index.html;
            try_files /index.html =404;
        }}
    }}
"""

CLIENTS = """\
        ssl_client_certificate {client_ca};
        ssl_verify_client on;
"""


def server(host, fixture, address, port):
    """Returns the server block of one host."""
    ports = [port] if port not in fixture["ports"] else []
    ca = host["client_ca"]
    return SERVER.format(
        address=address,
        port=port,
        default=" default_server" if host["name"] == fixture["default"] else "",
        names=" ".join(host["names"]),
        ports=" ".join(str(number) for number in fixture["ports"] + ports),
        certificate=host["certificate"],
        key=host["key"],
        clients=CLIENTS.format(client_ca=ca) if ca else "",
        documents=host["documents"],
    )


def main():
    fixture_file, out, run, address, port = sys.argv[1:]
    fixture = json.loads(Path(fixture_file).read_text(encoding="utf-8"))
    run = Path(run).resolve()
    module = Path(out).resolve() / "ngx_http_coalesce_module.so"
    user = "user www-data;" if os.geteuid() == 0 else ""
    servers = (server(host, fixture, address, int(port)) for host in fixture["hosts"])
    text = HEAD.format(module=module, run=run, user=user) + "".join(servers) + "}\n"
    configuration = run / "nginx.conf"
    configuration.write_text(text, encoding="utf-8")
    for argument in ("/usr/sbin/nginx", "-c", configuration, "-p", run, "-e", "stderr"):
        print(argument)


if __name__ == "__main__":
    main()
