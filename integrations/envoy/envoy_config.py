"""Parts of Envoy's configuration that `lab.py` and `generate.py` share, as plain objects."""

EXTENSIONS = "type.googleapis.com/envoy.extensions"
SERVER_NAMES = {
    "name": "envoy.filters.listener.tls_inspector",
    "typed_config": {"@type": f"{EXTENSIONS}.filters.listener.tls_inspector.v3.TlsInspector"},
}


def extension(name, kind, **fields):
    return {"name": name, "typed_config": {"@type": f"{EXTENSIONS}.{kind}", **fields}}


def coalesce_filter(configuration):
    """Returns the HTTP filter. It comes first, so that no other filter sees a refused request."""
    return extension(
        "envoy.filters.http.dynamic_modules",
        "filters.http.dynamic_modules.v3.DynamicModuleFilter",
        dynamic_module_config={"name": "coalesce_envoy"},
        filter_name="coalesce",
        filter_config={
            "@type": "type.googleapis.com/google.protobuf.Struct",
            "value": configuration,
        },
    )


def tls_socket(certificate, key, client_ca=None, required=True, versions=(None, None)):
    """Returns the transport socket of a filter chain. `versions` has the lowest and the highest."""
    common = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificates": [
            {"certificate_chain": {"filename": certificate}, "private_key": {"filename": key}}
        ],
    }
    names = ("tls_minimum_protocol_version", "tls_maximum_protocol_version")
    parameters = {name: value for name, value in zip(names, versions) if value}
    if parameters:
        common["tls_params"] = parameters
    fields = {"common_tls_context": common}
    if client_ca:
        common["validation_context"] = {"trusted_ca": {"filename": client_ca}}
        fields["require_client_certificate"] = required
    return extension(
        "envoy.transport_sockets.tls", "transport_sockets.tls.v3.DownstreamTlsContext", **fields
    )


def connection_manager(configuration, virtual_hosts, **fields):
    """Returns the network filter. Envoy's answer to a malformed request then ends one stream."""
    router = extension("envoy.filters.http.router", "filters.http.router.v3.Router")
    return extension(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="https",
        use_remote_address=True,
        http2_protocol_options={"override_stream_error_on_invalid_http_message": True},
        route_config={
            "name": "hosts",
            "ignore_port_in_host_matching": True,
            "virtual_hosts": virtual_hosts,
        },
        http_filters=[coalesce_filter(configuration), router],
        **fields,
    )


def domains(names):
    """Returns the names with and without a dot at the end, which the filter takes for one host."""
    return sorted({form for name in names for form in (name, f"{name}.")})


def filter_chain(name, server_names, socket, manager):
    """Returns a filter chain. Without server names it takes every connection that no other takes."""
    match = {"server_names": server_names} if server_names else {}
    return {
        "name": name,
        "filter_chain_match": match,
        "transport_socket": socket,
        "filters": [manager],
    }


def listener(address, port, chains):
    return {
        "name": "https",
        "address": {"socket_address": {"address": address, "port_value": port}},
        "listener_filters": [SERVER_NAMES],
        "filter_chains": chains,
    }
