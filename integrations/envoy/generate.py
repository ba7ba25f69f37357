#!/usr/bin/env python3
"""Writes a configuration of Envoy with the filter, from a site file of `coalesce serve`.

    generate.py SITE.toml > envoy.json

The result has one filter chain for each certificate and coalescing group, and a cluster for each upstream.
`envoy --mode validate -c envoy.json` checks it. A field that Envoy or the filter cannot express is an error:
one line for each, and exit status 1. Exit status 2 means wrong arguments.
"""

import json
import pathlib
import sys
import tomllib
import urllib.parse

import envoy_config as envoy

# The fields of a group, which a virtual host without a group may have as well.
POLICY = {
    "client_ca",
    "client_certificate",
    "minimum_version",
    "maximum_version",
    "unknown_authority",
    "observe",
    "isolate",
}
FIELDS = {
    "site": {"listener", "group", "virtual_host"},
    "listener": {"name", "address", "ports", "default_virtual_host"},
    "group": {"name", "coalesce"} | POLICY,
    "virtual_host": {"name", "names", "certificate", "key", "answer", "group"} | POLICY,
    "answer": {"text", "status", "upstream"},
}
VERSIONS = {"1.2": "TLSv1_2", "1.3": "TLSv1_3"}


class Site:
    """A site file. `faults` has a line for everything that it has and Envoy or the filter has not."""

    def __init__(self, path):
        self.folder = path.resolve().parent
        self.path = path
        self.faults = []
        site = tomllib.loads(path.read_text())
        self.check(site, "site", "")
        self.listeners = self.entries(site, "listener")
        self.hosts = self.entries(site, "virtual_host")
        # Hosts without a group and with equal policies share one.
        self.groups = {one["name"]: one for one in self.entries(site, "group")}
        for host in self.hosts:
            self.check(host["answer"], "answer", f"virtual_host {host['name']}: ")
            policy = {field: host[field] for field in sorted(POLICY) if field in host}
            if "group" not in host:
                host["group"] = json.dumps(policy) if policy else "default"
                self.groups.setdefault(host["group"], {"name": host["group"], **policy})
            elif policy:
                self.faults.append(f"virtual_host {host['name']}: a group beside {min(policy)}")
            if "*" in host["names"]:
                self.faults.append(f'virtual_host {host["name"]}: found the name "*", expected others')
            if host["group"] not in self.groups:
                self.faults.append(f"virtual_host {host['name']}: unknown group {host['group']}")

    def entries(self, site, kind):
        for number, one in enumerate(site.get(kind, []), 1):
            one.setdefault("name", f"{kind}-{number}")
            self.check(one, kind, f"{kind} {one['name']}: ")
        return site.get(kind, [])

    def check(self, entry, kind, place):
        for field in sorted(entry.keys() - FIELDS[kind]):
            known = ", ".join(sorted(FIELDS[kind]))
            self.faults.append(f'{place}found field "{field}", expected one of: {known}')

    def file(self, path):
        return str(self.folder / path)

    def client_ca(self, group):
        """Envoy reads the CAs of one file."""
        value = self.groups[group].get("client_ca", [])
        files = [value] if isinstance(value, str) else value
        if len(files) > 1:
            self.faults.append(f"group {group}: found several client_ca files, expected one")
        return self.file(files[0]) if files else None


def filter_group(site, name):
    """Returns a group as the filter has it."""
    group = site.groups[name]
    ca = site.client_ca(name)
    result = {}
    if ca:
        result["client_ca"] = ca
        result["client_certificates"] = group.get("client_certificate", "required")
    if "minimum_version" in group:
        result["minimum_version"] = group["minimum_version"]
    if group.get("isolate"):
        result["other"] = f"isolated {name}"
    elif "maximum_version" in group:
        result["other"] = f"at most TLS {group['maximum_version']}"
    for field in ("coalesce", "unknown_authority"):
        if field in group:
            result[field] = group[field]
    if group.get("observe"):
        result["mode"] = "observe"
    return result


def route(host):
    answer = host["answer"]
    if "upstream" in answer:
        action = {"route": {"cluster": host["name"]}}
    else:
        body = {"inline_string": answer.get("text", "")}
        action = {"direct_response": {"status": answer.get("status", 200), "body": body}}
    return {"match": {"prefix": "/"}, **action}


def envoy_name(pattern):
    """Envoy's wildcards match any number of labels; the filter refuses what the pattern does not match."""
    return pattern.removeprefix("*") if pattern.startswith("**.") else pattern


def virtual_host(host):
    domains = envoy.domains(envoy_name(name) for name in host["names"])
    return {"name": host["name"], "domains": domains, "routes": [route(host)]}


def filter_chains(site, listener):
    names = {name: host["group"] for host in site.hosts for name in host["names"]}
    groups = {name: filter_group(site, name) for name in sorted(site.groups)}
    hosts = [virtual_host(host) for host in site.hosts]

    def chain(name, host, server_names):
        group = site.groups[host["group"]]
        configuration = {
            "group": host["group"],
            "groups": groups,
            "hosts": names,
            "certificate": site.file(host["certificate"]),
        }
        if "ports" in listener:
            configuration["ports"] = listener["ports"]
        socket = envoy.tls_socket(
            site.file(host["certificate"]),
            site.file(host["key"]),
            site.client_ca(host["group"]),
            group.get("client_certificate", "required") == "required",
            [VERSIONS.get(group.get(f"{end}_version")) for end in ("minimum", "maximum")],
        )
        manager = envoy.connection_manager(configuration, hosts)
        return envoy.filter_chain(name, server_names, socket, manager)

    chains = {}
    for host in site.hosts:
        key = (host["certificate"], host["key"], host["group"])
        server_names = chains.setdefault(key, (host, set()))[1]
        server_names |= {envoy_name(name) for name in host["names"]}
    named = [chain(host["name"], host, sorted(names)) for host, names in chains.values()]
    default = listener.get("default_virtual_host")
    others = [host for host in site.hosts if host["name"] == default]
    if default and not others:
        site.faults.append(f"listener {listener['name']}: unknown virtual host {default}")
    return named + [chain("other server names", host, []) for host in others]


def cluster(site, host):
    url = urllib.parse.urlsplit(host["answer"]["upstream"])
    socket = {"address": url.hostname, "port_value": url.port or 80}
    result = {
        "name": host["name"],
        "type": "STRICT_DNS",
        "load_assignment": {
            "cluster_name": host["name"],
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": {"socket_address": socket}}}]}
            ],
        },
    }
    if url.scheme == "h2c":
        kind = "upstreams.http.v3.HttpProtocolOptions"
        result["typed_extension_protocol_options"] = {
            f"envoy.extensions.{kind}": {
                "@type": f"{envoy.EXTENSIONS}.{kind}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
    return result


def bootstrap(site):
    listeners = []
    for one in site.listeners:
        address, _, port = one["address"].rpartition(":")
        made = envoy.listener(address.strip("[]"), int(port), filter_chains(site, one))
        listeners.append({**made, "name": one["name"]})
    clusters = [cluster(site, host) for host in site.hosts if "upstream" in host["answer"]]
    return {"static_resources": {"listeners": listeners, "clusters": clusters}}


def main():
    if len(sys.argv) != 2:
        print("usage: generate.py SITE.toml", file=sys.stderr)
        return 2
    path = pathlib.Path(sys.argv[1])
    try:
        site = Site(path)
        # After a fault a part may be missing that the result needs.
        result = None if site.faults else bootstrap(site)
    # An invalid port, TOML or UTF-8 is a `ValueError`.
    except (OSError, ValueError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 1
    except KeyError as error:
        print(f"{path}: found no field {error}, expected one", file=sys.stderr)
        return 1
    if site.faults:
        for fault in site.faults:
            print(f"{path}: {fault}", file=sys.stderr)
        return 1
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
