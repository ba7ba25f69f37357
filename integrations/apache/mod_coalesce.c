/* mod_coalesce: decides which requests a TLS connection may carry, and answers 421 (Misdirected
 * Request) to the others. The rule is in libcoalesce. This module collects the facts from Apache,
 * mod_ssl and OpenSSL. README.md describes the directives.
 *
 * mod_ssl tells the module about each SSL_CTX at configuration time and about each SSL object
 * before its handshake. The SSL_CTX of a connection is the virtual host that the handshake chose,
 * so this module never matches the server name itself. */
#include "module.h"
#include <apr_lib.h>
#include <http_connection.h>
#include <http_protocol.h>
#include <http_request.h>
#include <http_ssl.h>

static generation state;

/* mod_ssl calls this for each virtual host with TLS, in its own post_config. */
static int coalesce_init_server(server_rec *server, apr_pool_t *pool, int is_proxy,
                                SSL_CTX *context)
{
    if (is_proxy) {
        return OK;
    }
    tls_host *host = apr_pcalloc(pool, sizeof *host);
    host->server = server;
    host->context = context;
    host->config = config_of(server);
    host->certificates = apr_array_make(pool, 1, sizeof(presented));
    host->number = (uint32_t)state.hosts->nelts;
    APR_ARRAY_PUSH(state.hosts, tls_host *) = host;
    apr_hash_set(state.by_context, &host->context, sizeof host->context, host);
    apr_hash_set(state.by_server, &host->server, sizeof host->server, host);
    return OK;
}

static int coalesce_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                                 server_rec *main)
{
    int status = OK;
    (void)pconf, (void)plog;
    for (const server_rec *at = main; at && status == OK; at = at->next) {
        if (at->is_virtual && config_of(at)->mode > MODE_OFF) {
            status = coalesce_check_names(at, ptemp);
        }
    }
    return status;
}

static int coalesce_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                                server_rec *main)
{
    int wanted = 0, status = OK;
    (void)plog;
    for (int i = 0; i < state.hosts->nelts && status == OK; i++) {
        tls_host *host = APR_ARRAY_IDX(state.hosts, i, tls_host *);
        wanted |= host->config->mode > MODE_OFF;
        status = coalesce_read_host(host, pconf);
    }
    if (!wanted || status != OK) {
        return status;
    }
    coalesce_bind_tickets(&state);
    return coalesce_make_listeners(&state, main, pconf, ptemp);
}

/* ---- Requests ---- */

static int coalesce_pre_handshake(conn_rec *connection, SSL *ssl, int is_proxy)
{
    if (!is_proxy) {
        ap_set_module_config(connection->conn_config, &coalesce_module, ssl);
    }
    return OK;
}

/* The facts about a connection and its request. */
typedef struct {
    SSL *ssl;
    const tls_host *host;  /* chosen by the handshake */
    const tls_host *asked; /* chosen by Apache for the request, or NULL */
    const listener *listener;
    coalesce_handshake_facts met;
    coalesce_connection connection;
} facts;

static coalesce_request target_of(const request_rec *r)
{
    coalesce_request target = {.size = sizeof target};
    const char *host = apr_table_get(r->headers_in, "Host");
    target.scheme = bytes_of(r->parsed_uri.scheme);
    target.authority = bytes_of(r->parsed_uri.hostinfo);
    if (r->method_number == M_CONNECT) {
        target.method = COALESCE_METHOD_CONNECT;
        target.authority = bytes_of(r->unparsed_uri);
    }
    else if (r->proto_num >= HTTP_VERSION(2, 0)) {
        /* mod_http2 replaces Host with :authority, and newer versions keep the original. */
        if (!r->parsed_uri.hostinfo) {
            target.authority = bytes_of(host);
        }
        host = apr_table_get(r->subprocess_env, "H2_ORIGINAL_HOST");
    }
    target.host = bytes_of(host);
    target.host_count = host ? 1 : 0;
    return target;
}

/* Removes what `H2ProxyRequests on` adds so that this module sees :scheme. The request line of
 * HTTP/2 is then as without it, for logs and for REQUEST_URI of applications. */
static void restore_request_line(request_rec *r)
{
    if (r->proto_num >= HTTP_VERSION(2, 0) && r->parsed_uri.scheme
        && r->method_number != M_CONNECT) {
        r->unparsed_uri = apr_uri_unparse(r->pool, &r->parsed_uri, APR_URI_UNP_OMITSITEPART);
        r->the_request = apr_pstrcat(r->pool, r->method, " ", r->unparsed_uri, " HTTP/2.0", NULL);
        r->parsed_uri.scheme = r->parsed_uri.hostinfo = r->parsed_uri.hostname = NULL;
        r->parsed_uri.port_str = NULL;
    }
}

static int is_trusted(const server_config *config, conn_rec *connection)
{
    for (int i = 0; config->proxies && i < config->proxies->nelts; i++) {
        apr_ipsubnet_t *subnet = APR_ARRAY_IDX(config->proxies, i, apr_ipsubnet_t *);
        if (apr_ipsubnet_test(subnet, connection->client_addr)) {
            return 1;
        }
    }
    return 0;
}

/* Decides with the certificate of this handshake. A resumed session does not say which of several
 * certificates was presented, so each one must cover the host. A certificate that is not of the
 * configuration covers nothing. */
static coalesce_result decide_presented(const facts *known, const coalesce_request *target,
                                        coalesce_verdict *verdict)
{
    const apr_array_header_t *certificates = known->host->certificates;
    const X509 *own = SSL_get_certificate(known->ssl);
    coalesce_connection connection = known->connection;
    coalesce_result result = COALESCE_OK;
    for (int i = 0; i < certificates->nelts; i++) {
        const presented *at = &APR_ARRAY_IDX(certificates, i, presented);
        if (at->certificate == own || SSL_session_reused(known->ssl)) {
            connection.presented = at->identifiers;
            result = coalesce_decide(known->listener->table, &connection, target, verdict);
            if (result != COALESCE_OK || verdict->outcome != COALESCE_SERVE) {
                return result;
            }
        }
    }
    return connection.presented
               ? result
               : coalesce_decide(known->listener->table, &connection, target, verdict);
}

/* Lets a trusted gateway reach every virtual host here whose rules for clients its connection
 * meets. A gateway may send no server name, so ciphers and CoalesceGroup do not separate hosts. */
static void trust_gateway(facts *known)
{
    const tls_host *asked = known->asked;
    known->connection.trust = COALESCE_TRUSTED_GATEWAY;
    if (asked && !known->listener->compiled
        && (!asked->policy.client_ca || asked->policy.client_ca == known->host->policy.client_ca)) {
        known->connection.policy = &asked->policy;
        known->connection.group = known->listener->groups[asked->number];
        known->met.other = asked->policy.other;
    }
}

static int refuse(request_rec *r, const tls_host *host, int status, const char *code,
                  const char *text)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "coalesce: %d for host %s: %s (%s)", status,
                  r->hostname ? r->hostname : "-", text, code);
    apr_table_setn(r->notes, "coalesce-verdict",
                   status == HTTP_MISDIRECTED_REQUEST ? "misdirected" : "malformed");
    apr_table_setn(r->notes, "coalesce-reason", code);
    if (host) {
        /* The virtual host of the connection answers, so the other one's ErrorDocument and fields
         * stay out of the answer. */
        r->server = host->server;
        r->per_dir_config = r->server->lookup_defaults;
    }
    return status;
}

/* Returns whether Apache serves the host of the verdict: the proof is about no other one. Apache
 * serves a host without an entry from the first virtual host, whose rules for clients must be those
 * that the handshake met. */
static int serves_the_proven(const facts *known, const coalesce_verdict *verdict)
{
    const tls_host *asked = known->asked;
    const uint32_t *groups = known->listener->groups;
    if (!asked || verdict->served_as == COALESCE_AS_TUNNEL) {
        return verdict->served_as == COALESCE_AS_TUNNEL;
    }
    if (verdict->served_as == COALESCE_AS_UNLISTED) {
        return groups[asked->number] == groups[known->host->number]
               || (asked->policy.client_ca == 0 && known->host->policy.client_ca == 0);
    }
    return known->listener->compiled ? groups[asked->number] == verdict->group
                                     : asked->number == verdict->virtual_host;
}

static int answer(request_rec *r, const facts *known, coalesce_result result,
                  const coalesce_verdict *verdict)
{
    if (result != COALESCE_OK) {
        return refuse(r, known->host, HTTP_INTERNAL_SERVER_ERROR, "not_decided",
                      coalesce_result_text(result));
    }
    if (verdict->outcome != COALESCE_SERVE) {
        return refuse(r, known->host, (int)verdict->status, coalesce_reason_code(verdict->reason),
                      coalesce_reason_text(verdict->reason));
    }
    if (!serves_the_proven(known, verdict)) {
        return refuse(r, known->host, HTTP_MISDIRECTED_REQUEST, "virtual_host",
                      "Apache chose another virtual host than the table");
    }
    uint32_t observed = verdict->observed;
    if (verdict->served_as == COALESCE_AS_UNLISTED && !observed) {
        observed = COALESCE_REASON_UNKNOWN_AUTHORITY;
    }
    apr_table_setn(r->notes, "coalesce-verdict", observed ? "observed" : "serve");
    if (observed) {
        apr_table_setn(r->notes, "coalesce-reason", coalesce_reason_code(observed));
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "coalesce: observed for host %s: %s (%s)",
                      r->hostname ? r->hostname : "-", coalesce_reason_text(observed),
                      coalesce_reason_code(observed));
    }
    return DECLINED;
}

static int coalesce_post_read_request(request_rec *r)
{
    /* The streams of HTTP/2 have connections of their own; the facts are those of the master. */
    conn_rec *c = r->connection->master ? r->connection->master : r->connection;
    facts known = {.ssl = ap_get_module_config(c->conn_config, &coalesce_module)};
    const tls_host *host = known.ssl ? coalesce_host_of(&state, known.ssl) : NULL;
    listener_key key = {c->vhost_lookup_data, c->base_server, c->local_addr->port};
    uint16_t port = c->local_addr->port;
    /* An internal redirect of a request that was decided, as to an ErrorDocument, is not decided
     * again. The authority of a forward proxy's request is another server's. */
    if (!ap_is_initial_req(r) || r->proxyreq == PROXYREQ_PROXY || !ap_ssl_conn_is_ssl(c)
        || (config_of(r->server)->mode <= MODE_OFF
            && (!host || host->config->mode <= MODE_OFF))) {
        return DECLINED;
    }
    known.host = host;
    known.asked = apr_hash_get(state.by_server, &r->server, sizeof r->server);
    known.listener = apr_hash_get(state.listeners, &key, sizeof key);
    if (!host || !known.listener) {
        return refuse(r, host, HTTP_MISDIRECTED_REQUEST, "group", "not a connection of mod_ssl");
    }
    known.met = coalesce_facts(known.ssl, host);
    known.connection = (coalesce_connection){
        .size = sizeof known.connection,
        .scheme = COALESCE_SCHEME_HTTPS,
        .group = known.listener->groups[host->number],
        .policy = &host->policy,
        .met = &known.met,
        .server_name = bytes_of(SSL_get_servername(known.ssl, TLSEXT_NAMETYPE_host_name)),
        .ports = host->ports->nelts ? (const uint16_t *)host->ports->elts : &port,
        .ports_len = host->ports->nelts ? (size_t)host->ports->nelts : 1};
    coalesce_request target = target_of(r);
    restore_request_line(r);
    coalesce_verdict verdict = {.size = sizeof verdict};
    coalesce_result result;
    if (is_trusted(host->config, c)) {
        trust_gateway(&known);
        result = coalesce_decide(known.listener->table, &known.connection, &target, &verdict);
    }
    else {
        result = decide_presented(&known, &target, &verdict);
    }
    return answer(r, &known, result, &verdict);
}

/* ---- Directives ---- */

static void *create_config(apr_pool_t *pool, server_rec *server)
{
    (void)server;
    return apr_pcalloc(pool, sizeof(server_config));
}

static void *merge_config(apr_pool_t *pool, void *base, void *own)
{
    const server_config *outer = base, *inner = own;
    server_config *merged = apr_pcalloc(pool, sizeof *merged);
    merged->mode = inner->mode ? inner->mode : outer->mode;
    merged->ports = inner->ports ? inner->ports : outer->ports;
    merged->table = inner->table ? inner->table : outer->table;
    merged->group = inner->group ? inner->group : outer->group;
    merged->proxies = inner->proxies ? inner->proxies : outer->proxies;
    return merged;
}

static server_config *own_config(const cmd_parms *cmd)
{
    return ap_get_module_config(cmd->server->module_config, &coalesce_module);
}

static const char *set_mode(cmd_parms *cmd, void *unused, const char *mode)
{
    (void)unused;
    own_config(cmd)->mode = !strcasecmp(mode, "on")        ? MODE_ON
                            : !strcasecmp(mode, "off")     ? MODE_OFF
                            : !strcasecmp(mode, "observe") ? MODE_OBSERVE
                                                           : MODE_UNSET;
    return own_config(cmd)->mode
               ? NULL
               : apr_psprintf(cmd->pool, "Coalesce \"%s\": expected On, Off or Observe", mode);
}

static const char *add_port(cmd_parms *cmd, void *unused, const char *text)
{
    server_config *config = own_config(cmd);
    char *end;
    apr_int64_t port = apr_strtoi64(text, &end, 10);
    (void)unused;
    if (!apr_isdigit(*text) || *end || port < 1 || port > 65535) {
        return apr_psprintf(cmd->pool, "CoalescePorts \"%s\": expected 1 to 65535", text);
    }
    if (!config->ports) {
        config->ports = apr_array_make(cmd->pool, 2, sizeof(uint16_t));
    }
    APR_ARRAY_PUSH(config->ports, uint16_t) = (uint16_t)port;
    return NULL;
}

static const char *set_table(cmd_parms *cmd, void *unused, const char *name)
{
    const char *path = ap_server_root_relative(cmd->pool, name);
    apr_file_t *file = NULL;
    apr_finfo_t info;
    coalesce_table *table = NULL;
    char problem[120];
    (void)unused;
    apr_status_t status = path ? apr_file_open(&file, path, APR_READ, 0, cmd->pool) : APR_EBADPATH;
    if (status == APR_SUCCESS) {
        status = apr_file_info_get(&info, APR_FINFO_SIZE, file);
    }
    if (status != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "CoalesceTable \"%s\": %s", name,
                            apr_strerror(status, problem, sizeof problem));
    }
    /* A copy in the memory of the parent process: the children share its pages, and a file that
     * changes in place changes nothing before the next reload. */
    apr_size_t length = (apr_size_t)info.size;
    uint8_t *octets = apr_palloc(cmd->pool, length + 1);
    status = apr_file_read_full(file, octets, length, &length);
    apr_file_close(file);
    coalesce_bytes compiled = {octets, length};
    coalesce_result result = status == APR_SUCCESS || APR_STATUS_IS_EOF(status)
                                 ? coalesce_table_from_static(compiled, &table)
                                 : COALESCE_INVALID_TABLE;
    if (result != COALESCE_OK) {
        return apr_psprintf(cmd->pool, "CoalesceTable \"%s\": %s; expected a file that `coalesce "
                            "compile` made", name, coalesce_result_text(result));
    }
    apr_pool_cleanup_register(cmd->pool, table, coalesce_free_table, apr_pool_cleanup_null);
    own_config(cmd)->table = table;
    return NULL;
}

static const char *set_group(cmd_parms *cmd, void *unused, const char *name)
{
    (void)unused;
    own_config(cmd)->group = name;
    return NULL;
}

static const char *add_proxy(cmd_parms *cmd, void *unused, const char *text)
{
    server_config *config = own_config(cmd);
    char *address = apr_pstrdup(cmd->temp_pool, text);
    char *length = strchr(address, '/');
    apr_ipsubnet_t *subnet = NULL;
    (void)unused;
    if (length) {
        *length++ = '\0';
    }
    if (apr_ipsubnet_create(&subnet, address, length, cmd->pool) != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "CoalesceTrustedProxy \"%s\": expected an address, or an "
                            "address and a prefix length as 192.0.2.0/24", text);
    }
    if (!config->proxies) {
        config->proxies = apr_array_make(cmd->pool, 2, sizeof(apr_ipsubnet_t *));
    }
    APR_ARRAY_PUSH(config->proxies, apr_ipsubnet_t *) = subnet;
    return NULL;
}

static const command_rec directives[] = {
    AP_INIT_TAKE1("Coalesce", set_mode, NULL, RSRC_CONF,
                  "On, Off, or Observe to log what would be refused"),
    AP_INIT_ITERATE("CoalescePorts", add_port, NULL, RSRC_CONF,
                    "The ports that clients name; those of <VirtualHost> by default"),
    AP_INIT_TAKE1("CoalesceTable", set_table, NULL, RSRC_CONF,
                  "A compiled table instead of the names of the configuration"),
    AP_INIT_TAKE1("CoalesceGroup", set_group, NULL, RSRC_CONF,
                  "Separates virtual hosts whose TLS policies are equal"),
    AP_INIT_ITERATE("CoalesceTrustedProxy", add_proxy, NULL, RSRC_CONF,
                    "Peers that check certificates themselves (RFC 9110 section 7.4)"),
    {.name = NULL}};

static int coalesce_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog, (void)ptemp;
    state.hosts = apr_array_make(pconf, 8, sizeof(tls_host *));
    state.by_context = apr_hash_make(pconf);
    state.by_server = apr_hash_make(pconf);
    state.listeners = apr_hash_make(pconf);
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    static const char *const after_ssl[] = {"mod_ssl.c", NULL};
    (void)pool;
    ap_hook_pre_config(coalesce_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(coalesce_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(coalesce_post_config, after_ssl, NULL, APR_HOOK_LAST);
    APR_OPTIONAL_HOOK(ssl, init_server, coalesce_init_server, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, pre_handshake, coalesce_pre_handshake, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_read_request(coalesce_post_read_request, after_ssl, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(coalesce) = {STANDARD20_MODULE_STUFF,
                               NULL, NULL, create_config, merge_config, directives, register_hooks,
                               AP_MODULE_FLAG_NONE};
