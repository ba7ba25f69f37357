#!/usr/bin/env python3
"""Writes Envoy's configuration for the lab, and prints the command that starts it.

    lab.py FIXTURE.json OUT RUN ADDRESS PORT

OUT has the built module, and RUN gets the configuration. There is one filter chain for each certificate
and client CA. The listener is in a separate file of RUN; a new file moved into its place reloads it.
"""

import json
import pathlib
import sys

import envoy_config as envoy


def group_name(host):
    """Hosts with one handshake policy are in one group."""
    return host["client_ca"] or "without client certificates"


def filter_configuration(fixture, host):
    """Returns the configuration of the filter in the chain of `host`."""
    groups = {}
    names = {}
    for one in fixture["hosts"]:
        policy = {}
        if one["client_ca"]:
            policy = {"client_certificates": "required", "client_ca": one["client_ca"]}
        groups[group_name(one)] = policy
        names |= dict.fromkeys(one["names"], group_name(one))
    return {
        "groups": groups,
        "hosts": names,
        "group": group_name(host),
        "certificate": host["certificate"],
        "ports": fixture["ports"],
    }


def virtual_hosts(fixture):
    return [
        {
            "name": host["name"],
            "domains": envoy.domains(host["names"]),
            "routes": [
                {
                    "match": {"prefix": "/"},
                    "direct_response": {
                        "status": 200,
                        "body": {"filename": f"{host['documents']}/index.html"},
                    },
                }
            ],
        }
        for host in fixture["hosts"]
    ]


def filter_chains(fixture):
    chains = {}
    for host in fixture["hosts"]:
        names = chains.setdefault((host["certificate"], host["client_ca"]), (host, []))[1]
        names += host["names"]
    default = next(host for host in fixture["hosts"] if host["name"] == fixture["default"])
    routes = virtual_hosts(fixture)

    def chain(name, host, server_names):
        socket = envoy.tls_socket(host["certificate"], host["key"], host["client_ca"])
        manager = envoy.connection_manager(filter_configuration(fixture, host), routes)
        return envoy.filter_chain(name, server_names, socket, manager)

    named = [chain(host["name"], host, names) for host, names in chains.values()]
    return named + [chain("other server names", default, [])]


def main():
    fixture_file, out, run, address, port = sys.argv[1:6]
    fixture = json.loads(pathlib.Path(fixture_file).read_text())
    run = pathlib.Path(run).resolve()
    resource = envoy.listener(address, int(port), filter_chains(fixture))
    resource["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener"
    (run / "listeners.json").write_text(json.dumps({"resources": [resource]}, indent=1))
    bootstrap = {
        "node": {"id": "lab", "cluster": "lab"},
        "dynamic_resources": {
            "lds_config": {
                "path_config_source": {"path": str(run / "listeners.json")},
                "resource_api_version": "V3",
            }
        },
    }
    (run / "envoy.json").write_text(json.dumps(bootstrap, indent=1))
    print(f"ENVOY_DYNAMIC_MODULES_SEARCH_PATH={pathlib.Path(out).resolve()}")
    arguments = ["--disable-hot-restart", "--concurrency", "2", "--log-level", "warning"]
    # After a reload, connections of old filter chains have this long to end. The default is 10 minutes.
    arguments += ["--drain-time-s", "3"]
    print("envoy", *arguments, "-c", run / "envoy.json", sep="\n")


main()
