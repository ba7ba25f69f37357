#!/usr/bin/env python3
"""Writes Apache's configuration for the lab, and prints the command that starts Apache.

lab.py FIXTURE.json OUT RUN ADDRESS PORT

FIXTURE.json describes the hosts. OUT has mod_coalesce.so. The configuration goes to the folder RUN.
The command has one argument a line. The environment variable COALESCE_APACHE_MPM names the
processing module (default: event).
"""

import json
import os
import pathlib
import sys

MODULES = pathlib.Path("/usr/lib/apache2/modules")

MAIN = """\
LoadModule mpm_{mpm}_module {modules}/mod_mpm_{mpm}.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule dir_module {modules}/mod_dir.so
LoadModule http2_module {modules}/mod_http2.so
LoadModule mime_module {modules}/mod_mime.so
LoadModule socache_shmcb_module {modules}/mod_socache_shmcb.so
LoadModule ssl_module {modules}/mod_ssl.so
LoadModule coalesce_module {out}/mod_coalesce.so

ServerRoot "{run}"
PidFile "{run}/httpd.pid"
DefaultRuntimeDir "{run}"
ErrorLog "{run}/error.log"
LogLevel error coalesce:info
ServerName localhost
TypesConfig /etc/mime.types
{user}
Listen {address}:{port}
Protocols h2 http/1.1
StartServers 1
{workers}
MaxKeepAliveRequests 0
SSLSessionCache "shmcb:{run}/sessions(512000)"
SSLProtocol -all +TLSv1.2 +TLSv1.3
# The module decides, so mod_ssl need not compare the virtual hosts.
SSLVHostSNIPolicy insecure
# The module sees the scheme of a request.
H2ProxyRequests on
Coalesce On
CoalescePorts {ports}
LogFormat "%h %V \\"%r\\" %>s %{{coalesce-verdict}}n %{{coalesce-reason}}n" coalesce
CustomLog "{run}/access.log" coalesce
"""

HOST = """
<VirtualHost {address}:{port}>
    ServerName {name}
{aliases}    SSLEngine on
    SSLCertificateFile "{certificate}"
    SSLCertificateKeyFile "{key}"
{clients}    DocumentRoot "{documents}"
    <Directory "{documents}">
        Require all granted
        DirectoryIndex index.html
    </Directory>
</VirtualHost>
"""

CLIENTS = """\
    SSLCACertificateFile "{client_ca}"
    SSLVerifyClient require
"""

WORKERS = {
    "event": "ServerLimit 8\nThreadsPerChild 50\nMaxRequestWorkers 100",
    "worker": "ServerLimit 8\nThreadsPerChild 50\nMaxRequestWorkers 100",
    "prefork": "MaxRequestWorkers 50",
}


def host_section(host, address, port):
    """Returns the virtual host of one host of the fixture."""
    names = host["names"]
    exact = [name for name in names if "*" not in name]
    # A ServerName has no wildcard.
    name = exact[0] if exact else names[0].replace("*", "any", 1)
    aliases = [alias for alias in names if alias != name]
    return HOST.format(
        address=address,
        port=port,
        name=name,
        aliases="".join(f"    ServerAlias {alias}\n" for alias in aliases),
        clients=CLIENTS.format(**host) if host["client_ca"] else "",
        certificate=host["certificate"],
        key=host["key"],
        documents=host["documents"],
    )


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    fixture = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    out, run = (pathlib.Path(folder).resolve() for folder in sys.argv[2:4])
    address, port = sys.argv[4:]
    run.mkdir(parents=True, exist_ok=True)
    mpm = os.environ.get("COALESCE_APACHE_MPM", "event")
    text = MAIN.format(
        modules=MODULES,
        mpm=mpm,
        workers=WORKERS[mpm],
        out=out,
        run=run,
        address=address,
        port=port,
        ports=" ".join(str(number) for number in fixture["ports"]),
        user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
    )
    # The first virtual host is the one for a ClientHello without a server name.
    first = fixture["default"]
    for host in sorted(fixture["hosts"], key=lambda host: host["name"] != first):
        text += host_section(host, address, port)
    configuration = run / "apache.conf"
    configuration.write_text(text, encoding="utf-8")
    print("apache2", "-f", configuration, "-D", "FOREGROUND", sep="\n")


main()
