/* Reads the names of the virtual hosts into tables, one for each address and port. */
#include "module.h"
#include <ap_listen.h>
#include <http_vhost.h>

APLOG_USE_MODULE(coalesce);

static const char *file_of(const server_rec *server)
{
    return server->defn_name ? server->defn_name : "configuration";
}

int coalesce_fail(const server_rec *server, const char *name, const char *text)
{
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL, "%s:%u: virtual host \"%s\": %s",
                 file_of(server), server->defn_line_number, name ? name : "", text);
    return HTTP_INTERNAL_SERVER_ERROR;
}

apr_status_t coalesce_free_table(void *table)
{
    coalesce_table_free(table);
    return APR_SUCCESS;
}

const ap_directive_t *coalesce_directives(const server_rec *server)
{
    if (!server->is_virtual) {
        return ap_conftree;
    }
    for (const ap_directive_t *at = ap_conftree; at; at = at->next) {
        if (at->first_child && at->line_num == (int)server->defn_line_number
            && !strcmp(at->filename, file_of(server))) {
            return at->first_child;
        }
    }
    return NULL;
}

/* Returns the pattern of a name of the configuration, or NULL. Apache's `*` also matches dots. */
static const char *pattern_of(apr_pool_t *pool, const char *name)
{
    const char *suffix = strncmp(name, "*.", 2) ? name : name + 2;
    if (!strcmp(name, "*")) {
        return name;
    }
    if (strpbrk(suffix, "*?")) {
        return NULL;
    }
    return suffix == name ? name : apr_pstrcat(pool, "**.", suffix, NULL);
}

/* Calls `each` for every name of a virtual host until a call returns another value than OK. */
static int each_name(const server_rec *server, void *context,
                     int (*each)(void *context, const server_rec *server, const char *name))
{
    const apr_array_header_t *lists[] = {server->names, server->wild_names};
    int status = server->server_hostname ? each(context, server, server->server_hostname) : OK;
    for (int list = 0; list < 2; list++) {
        for (int i = 0; lists[list] && i < lists[list]->nelts && status == OK; i++) {
            const char *name = APR_ARRAY_IDX(lists[list], i, const char *);
            status = name ? each(context, server, name) : OK;
        }
    }
    return status;
}

static int check_name(void *ptemp, const server_rec *server, const char *name)
{
    const char *pattern = pattern_of(ptemp, name);
    coalesce_table_builder *builder = NULL;
    coalesce_result result = coalesce_table_builder_new(&builder);
    if (result == COALESCE_OK) {
        result = coalesce_table_builder_group(builder, 1, NULL);
    }
    if (result == COALESCE_OK) {
        result = pattern ? coalesce_table_builder_entry(builder, bytes_of(pattern), 0, 1)
                         : COALESCE_INVALID_NAME;
    }
    coalesce_table_builder_free(builder);
    if (result == COALESCE_OK) {
        return OK;
    }
    const char *file = file_of(server);
    int line = (int)server->defn_line_number;
    for (const ap_directive_t *at = coalesce_directives(server); at; at = at->next) {
        if (!strncasecmp(at->directive, "Server", 6) && strstr(at->args, name)) {
            file = at->filename;
            line = at->line_num;
            break;
        }
    }
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                 "%s:%d: name \"%s\" of a virtual host with Coalesce: expected a host name, "
                 "\"*.\" before a host name, or \"*\"", file, line, name);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* Returns whether a virtual host, or else the main server, has `SSLEngine` with another value than
 * off. mod_ssl's own answer comes too late for `apachectl configtest`. */
static int has_tls(const server_rec *server)
{
    const ap_directive_t *lists[] = {coalesce_directives(server), ap_conftree};
    for (int list = 0; list < 2; list++) {
        for (const ap_directive_t *at = lists[list]; at; at = at->next) {
            if (!strcasecmp(at->directive, "SSLEngine")) {
                return strcasecmp(at->args, "off") != 0;
            }
        }
    }
    return 0;
}

int coalesce_check_names(const server_rec *server, apr_pool_t *ptemp)
{
    return has_tls(server) ? each_name(server, ptemp, check_name) : OK;
}

typedef struct {
    const generation *of;
    apr_pool_t *pool;
    conn_rec *connection;
    coalesce_table_builder *builder;
    listener *made;
} building;

/* Returns the TLS host that Apache itself chooses for a name, or NULL. */
static const tls_host *choice_of_apache(const building *build, const char *name)
{
    request_rec *request = apr_pcalloc(build->pool, sizeof *request);
    request->pool = build->pool;
    request->connection = build->connection;
    request->server = build->connection->base_server;
    request->status = HTTP_OK;
    request->headers_in = apr_table_make(build->pool, 1);
    request->hostname = name;
    ap_update_vhost_from_headers(request);
    return apr_hash_get(build->of->by_server, &request->server, sizeof request->server);
}

/* Apache takes the first virtual host in the file, and the table the most specific name. They agree
 * because each entry has the host that Apache chooses for a name below the pattern. */
static int add_name(void *context, const server_rec *server, const char *name)
{
    const building *build = context;
    const char *probe = *name == '*' ? apr_pstrcat(build->pool, "any-name-below", name + 1, NULL)
                                     : name;
    const char *pattern = pattern_of(build->pool, name);
    const tls_host *host = choice_of_apache(build, probe);
    if (!pattern && config_of(server)->mode > MODE_OFF) {
        return check_name(build->pool, server, name);
    }
    if (!pattern || !host) {
        return OK;
    }
    coalesce_result result = coalesce_table_builder_entry(
        build->builder, bytes_of(pattern), host->number, build->made->groups[host->number]);
    /* Two virtual hosts may have one name. Both calls add the one that Apache chooses. */
    return result == COALESCE_OK || result == COALESCE_DUPLICATE_NAME
               ? OK
               : coalesce_fail(server, name, coalesce_result_text(result));
}

static int add_names(void *context, conn_rec *connection, server_rec *server)
{
    const building *build = context;
    (void)connection;
    return apr_hash_get(build->of->by_server, &server, sizeof server)
               ? each_name(server, context, add_name)
               : OK;
}

/* Gives a virtual host its group: the one that CoalesceGroup says for a compiled table, and
 * otherwise that of its policy. */
static int add_host(void *context, conn_rec *connection, server_rec *server)
{
    const building *build = context;
    const tls_host *host = apr_hash_get(build->of->by_server, &server, sizeof server);
    (void)connection;
    if (!host) {
        return OK;
    }
    uint32_t *group = &build->made->groups[host->number];
    if (build->made->compiled) {
        char *end = NULL;
        apr_int64_t number = host->config->group ? apr_strtoi64(host->config->group, &end, 10) : -1;
        if (number < 0 || *end || number >= COALESCE_GROUP_NONE) {
            return coalesce_fail(server, server->server_hostname, "expected CoalesceGroup with the "
                                 "number of a group of the file of CoalesceTable");
        }
        *group = (uint32_t)number;
        return OK;
    }
    coalesce_group_policy policy = {.size = sizeof policy};
    if (host->config->mode == MODE_OBSERVE) {
        policy.enforcement = COALESCE_OBSERVE;
        policy.unknown_authority = COALESCE_UNKNOWN_TO_APPLICATION;
    }
    policy.client_certificates = host->policy.client_certificates;
    coalesce_result result =
        coalesce_table_builder_group_for(build->builder, &host->policy, &policy, group);
    return result == COALESCE_OK
               ? OK
               : coalesce_fail(server, server->server_hostname, coalesce_result_text(result));
}

/* Checks that the hosts of each group have one TLS policy, because the group is the boundary. */
static int check_groups(const building *build)
{
    const apr_array_header_t *hosts = build->of->hosts;
    const uint32_t *groups = build->made->groups;
    apr_hash_t *firsts = apr_hash_make(build->pool);
    for (int i = 0; i < hosts->nelts; i++) {
        tls_host *host = APR_ARRAY_IDX(hosts, i, tls_host *);
        const tls_host *first = apr_hash_get(firsts, &groups[i], sizeof groups[i]);
        if (groups[i] == COALESCE_GROUP_NONE) {
            continue;
        }
        if (first && memcmp(&first->policy, &host->policy, sizeof first->policy)) {
            return coalesce_fail(
                host->server, host->server->server_hostname,
                apr_psprintf(build->pool, "expected the TLS policy of \"%s\", which has the same "
                             "CoalesceGroup", first->server->server_hostname));
        }
        apr_hash_set(firsts, &groups[i], sizeof groups[i], host);
    }
    return OK;
}

static int make_table(building *build, apr_pool_t *pconf)
{
    coalesce_table *table = NULL;
    int status = ap_vhost_iterate_given_conn(build->connection, add_host, build);
    if (status != OK || build->made->compiled) {
        return status != OK ? status : check_groups(build);
    }
    status = ap_vhost_iterate_given_conn(build->connection, add_names, build);
    if (status != OK) {
        return status;
    }
    coalesce_result result = coalesce_table_builder_build(build->builder, &table);
    if (result != COALESCE_OK) {
        return coalesce_fail(build->made->key.base, NULL, coalesce_result_text(result));
    }
    apr_pool_cleanup_register(pconf, table, coalesce_free_table, apr_pool_cleanup_null);
    build->made->table = table;
    return OK;
}

/* Makes the table for connections to an address and port, unless an equal one is there. */
static int make_listener(generation *of, server_rec *main, const apr_sockaddr_t *address,
                         apr_port_t port, apr_pool_t *pconf, apr_pool_t *ptemp)
{
    apr_sockaddr_t local = *address;
    conn_rec connection = {.pool = ptemp, .base_server = main, .local_addr = &local};
    listener *made = apr_pcalloc(pconf, sizeof *made);
    building build = {of, ptemp, &connection, NULL, made};
    local.port = port;
    ap_update_vhost_given_ip(&connection);
    made->key.names = connection.vhost_lookup_data;
    made->key.base = connection.base_server;
    made->key.port = port;
    if (apr_hash_get(of->listeners, &made->key, sizeof made->key)) {
        return OK;
    }
    apr_size_t size = (apr_size_t)of->hosts->nelts * sizeof *made->groups;
    made->groups = memset(apr_palloc(pconf, size), 0xff, size);
    made->table = config_of(connection.base_server)->table;
    made->compiled = made->table != NULL;
    coalesce_result result = coalesce_table_builder_new(&build.builder);
    int status = result == COALESCE_OK ? make_table(&build, pconf)
                                       : coalesce_fail(main, NULL, coalesce_result_text(result));
    coalesce_table_builder_free(build.builder);
    apr_hash_set(of->listeners, &made->key, sizeof made->key, made);
    return status;
}

int coalesce_make_listeners(generation *of, server_rec *main, apr_pool_t *pconf, apr_pool_t *ptemp)
{
    int status = OK;
    for (const ap_listen_rec *at = ap_listeners; at && status == OK; at = at->next) {
        apr_port_t port = at->bind_addr->port;
        status = make_listener(of, main, at->bind_addr, port, pconf, ptemp);
        /* A wildcard address of `Listen` receives connections for every address of a host. */
        for (const server_rec *server = main; server; server = server->next) {
            const server_addr_rec *own = server->addrs;
            for (; own && status == OK; own = own->next) {
                status = make_listener(of, main, own->host_addr, port, pconf, ptemp);
            }
        }
    }
    return status;
}
