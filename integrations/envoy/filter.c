/* An HTTP filter of Envoy that answers 421 to requests that this connection may not serve. */
#include <stdio.h>
#include <string.h>

#include "configuration.h"
#include "envoy_abi.h"

static envoy_buffer buffer(const char *text)
{
    return (envoy_buffer){text, strlen(text)};
}

static coalesce_bytes header(void *stream, const char *name)
{
    envoy_buffer value = {NULL, 0};
    if (!envoy_dynamic_module_callback_http_get_header(stream, ENVOY_REQUEST_HEADERS, buffer(name),
                                                       &value, 0, NULL)) {
        return (coalesce_bytes){NULL, 0};
    }
    return (coalesce_bytes){(const uint8_t *)value.data, value.len};
}

static coalesce_bytes attribute(void *stream, int number)
{
    envoy_buffer value = {NULL, 0};
    if (!envoy_dynamic_module_callback_http_filter_get_attribute_string(stream, number, &value) ||
        value.len == 0) {
        return (coalesce_bytes){NULL, 0};
    }
    return (coalesce_bytes){(const uint8_t *)value.data, value.len};
}

static bool equals(coalesce_bytes value, const char *text)
{
    return value.data != NULL && value.len == strlen(text) &&
           memcmp(value.data, text, value.len) == 0;
}

static uint32_t tls_version(coalesce_bytes name)
{
    static const char *const names[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
    for (uint32_t i = 0; i < 4; i++) {
        if (equals(name, names[i])) {
            return 0x0301 + i;
        }
    }
    return 0;
}

/* Envoy turns an extended CONNECT of HTTP/2 into a GET with `upgrade` before any filter runs
 * (RFC 8441). HTTP/2 itself has no `upgrade` (RFC 9113 §8.2.2). */
static uint32_t method(void *stream)
{
    if (equals(header(stream, ":method"), "CONNECT")) {
        bool extended = header(stream, ":protocol").data != NULL;
        return extended ? COALESCE_METHOD_EXTENDED_CONNECT : COALESCE_METHOD_CONNECT;
    }
    coalesce_bytes protocol = attribute(stream, ENVOY_REQUEST_PROTOCOL);
    bool multiplexed = equals(protocol, "HTTP/2") || equals(protocol, "HTTP/3");
    bool upgrades = multiplexed && header(stream, "upgrade").data != NULL;
    return upgrades ? COALESCE_METHOD_EXTENDED_CONNECT : COALESCE_METHOD_ORDINARY;
}

/* Returns what the handshake met. The TLS context of a filter chain verifies every certificate that
 * it accepts, and no other chain resumes its sessions, so a certificate was verified with this
 * chain's CA. A resumed session still has the certificate. */
static coalesce_handshake_facts handshake(void *stream, const struct chain *chain)
{
    coalesce_handshake_facts facts = {.size = sizeof facts, .other = chain->policy.other};
    bool presented = false;
    (void)envoy_dynamic_module_callback_http_filter_get_attribute_bool(
        stream, ENVOY_CONNECTION_MTLS, &presented);
    if (presented) {
        facts.client_certificate = COALESCE_CLIENT_VERIFIED;
        facts.client_ca = chain->policy.client_ca;
    } else if (chain->policy.client_certificates == COALESCE_CLIENTS_NOT_ASKED) {
        facts.client_certificate = COALESCE_CLIENT_NOT_ASKED;
    } else {
        facts.client_certificate = COALESCE_CLIENT_ASKED_NONE_GIVEN;
    }
    facts.tls_version = tls_version(attribute(stream, ENVOY_TLS_VERSION));
    return facts;
}

/* Decides a request. Envoy keeps `Host` and `:authority` in one place, so there is no second name
 * to compare. */
static coalesce_verdict verdict_of(void *stream, const struct chain *chain)
{
    coalesce_handshake_facts facts = handshake(stream, chain);
    uint64_t port = 0;
    (void)envoy_dynamic_module_callback_http_filter_get_attribute_int(
        stream, ENVOY_DESTINATION_PORT, &port);
    uint16_t local = (uint16_t)port;
    coalesce_connection connection = {
        .size = sizeof connection,
        .scheme = COALESCE_SCHEME_HTTPS,
        /* Without TLS there was no handshake, whatever the configuration says. */
        .group = facts.tls_version != 0 ? chain->group : COALESCE_GROUP_NONE,
        .policy = &chain->policy,
        .met = &facts,
        .presented = chain->presented,
        .server_name = attribute(stream, ENVOY_REQUESTED_SERVER_NAME),
        .ports = chain->ports_len != 0 ? chain->ports : &local,
        .ports_len = chain->ports_len != 0 ? chain->ports_len : 1,
    };
    coalesce_request request = {
        .size = sizeof request,
        .authority = header(stream, ":authority"),
        .scheme = header(stream, ":scheme"),
        .method = method(stream),
    };
    coalesce_verdict verdict = {.size = sizeof verdict};
    /* After an error the verdict is a refusal. */
    (void)coalesce_decide(chain->table, &connection, &request, &verdict);
    return verdict;
}

static bool is_grpc(void *stream)
{
    static const char grpc[] = "application/grpc";
    size_t len = sizeof grpc - 1;
    coalesce_bytes type = header(stream, "content-type");
    return type.len >= len && memcmp(type.data, grpc, len) == 0 &&
           (type.len == len || strchr("+; ", type.data[len]) != NULL);
}

/* For gRPC, Envoy turns each response of a filter into status 200 with `grpc-status: 0`, which is
 * success, unless the filter gives another one. UNAVAILABLE (14) allows a client to repeat the
 * request; INTERNAL (13) does not. */
static void refuse(void *stream, const coalesce_verdict *verdict)
{
    bool misdirected = verdict->outcome == COALESCE_MISDIRECTED;
    envoy_header status = {buffer("grpc-status"), buffer(misdirected ? "14" : "13")};
    const char *reason = coalesce_reason_code(verdict->reason);
    char details[64];
    snprintf(details, sizeof details, "coalesce_%s", *reason != '\0' ? reason : "error");
    envoy_dynamic_module_callback_http_send_response(stream, verdict->status, &status,
                                                     is_grpc(stream) ? 1 : 0,
                                                     (envoy_buffer){NULL, 0}, buffer(details));
}

ENVOY_HOOK const char *envoy_dynamic_module_on_program_init(void)
{
    return coalesce_abi_version() == COALESCE_ABI_VERSION ? ENVOY_ABI_VERSION : NULL;
}

ENVOY_HOOK const void *envoy_dynamic_module_on_http_filter_config_new(void *envoy,
                                                                      envoy_buffer name,
                                                                      envoy_buffer text)
{
    (void)envoy, (void)name;
    char error[CHAIN_ERROR_MAX] = "";
    struct chain *chain = chain_new(text.data, text.len, error);
    if (chain == NULL) {
        char line[CHAIN_ERROR_MAX + 32];
        snprintf(line, sizeof line, "coalesce: filter_config: %s", error);
        envoy_dynamic_module_callback_log(ENVOY_LOG_ERROR, buffer(line));
    }
    return chain;
}

ENVOY_HOOK void envoy_dynamic_module_on_http_filter_config_destroy(const void *chain)
{
    chain_free((struct chain *)(uintptr_t)chain);
}

/* The filter keeps nothing for one request, so all share the chain. */
ENVOY_HOOK const void *envoy_dynamic_module_on_http_filter_new(const void *chain, void *stream)
{
    (void)stream;
    return chain;
}

ENVOY_HOOK int envoy_dynamic_module_on_http_filter_request_headers(void *stream, const void *chain,
                                                                   bool end)
{
    (void)end;
    coalesce_verdict verdict = verdict_of(stream, chain);
    if (verdict.outcome == COALESCE_SERVE) {
        if (verdict.observed != 0) {
            envoy_dynamic_module_callback_http_set_dynamic_metadata_string(
                stream, buffer("coalesce"), buffer("observed"),
                buffer(coalesce_reason_code(verdict.observed)));
        }
        return ENVOY_CONTINUE;
    }
    refuse(stream, &verdict);
    return ENVOY_STOP;
}
