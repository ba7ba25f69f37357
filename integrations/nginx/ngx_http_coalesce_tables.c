/* The tables and groups that the configuration makes. */
#include "ngx_http_coalesce.h"

#include <ctype.h>

ngx_int_t ngx_http_coalesce_free_with(ngx_pool_t *pool, ngx_pool_cleanup_pt handler, void *data)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(pool, 0);

    if (cleanup == NULL) {
        handler(data);
        return NGX_ERROR;
    }
    cleanup->handler = handler;
    cleanup->data = data;
    return NGX_OK;
}

ngx_int_t ngx_http_coalesce_fail(ngx_conf_t *cf, const server_block *server, const char *what,
                                 const ngx_str_t *value, coalesce_result result)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "coalesce: %s:%ui: %s \"%V\" of this server: %s",
                  server->file_name, server->line, what, value, coalesce_result_text(result));
    return NGX_ERROR;
}

static void free_table(void *table)
{
    coalesce_table_free(table);
}

static void free_builder(void *builder)
{
    coalesce_table_builder_free(builder);
}

/* Returns a builder that knows the groups so far, or NULL. It is freed when the configuration is
 * read. */
static coalesce_table_builder *new_builder(ngx_conf_t *cf, const main_conf *main)
{
    const coalesce_group_policy *policy = main->groups.elts;
    coalesce_table_builder *builder = NULL;

    if (coalesce_table_builder_new(&builder) != COALESCE_OK
        || ngx_http_coalesce_free_with(cf->temp_pool, free_builder, builder) != NGX_OK)
    {
        return NULL;
    }
    for (uint32_t i = 0; i < main->groups.nelts; i++) {
        if (coalesce_table_builder_group(builder, i + 1, &policy[i]) != COALESCE_OK) {
            return NULL;
        }
    }
    return builder;
}

static ngx_int_t build(ngx_conf_t *cf, const coalesce_table_builder *builder,
                       coalesce_table **table)
{
    coalesce_result result = coalesce_table_builder_build(builder, table);

    if (result != COALESCE_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "coalesce: cannot build a table of names: %s",
                      coalesce_result_text(result));
        return NGX_ERROR;
    }
    return ngx_http_coalesce_free_with(cf->pool, free_table, *table);
}

/* Whether no table can have the name: a regular expression, or "www.example.*". */
static ngx_uint_t is_pattern(const ngx_http_server_name_t *name)
{
#if (NGX_PCRE)
    if (name->regex != NULL) {
        return 1;
    }
#endif
    return name->name.len > 2 && ngx_strncmp(name->name.data + name->name.len - 2, ".*", 2) == 0;
}

/* Whether the server block has the host by a pattern. */
static ngx_uint_t has_by_pattern(const server_conf *conf, ngx_str_t *host)
{
    const ngx_http_server_name_t *name = conf->patterns.elts;
    ngx_uint_t found = 0;

    for (ngx_uint_t i = 0; !found && i < conf->patterns.nelts; i++, name++) {
#if (NGX_PCRE)
        if (name->regex != NULL) {
            found = ngx_regex_exec(name->regex->regex, host, NULL, 0) >= 0;
            continue;
        }
#endif
        /* Without its star the name is a prefix of the host. */
        found = host->len >= name->name.len
                && ngx_strncmp(host->data, name->name.data, name->name.len - 1) == 0;
    }
    return found;
}

/* nginx prefers every other name to a pattern. Those of the server block that it found count where
 * the table has no entry. */
const coalesce_table *ngx_http_coalesce_find_table(ngx_http_request_t *r,
                                                   const connection_state *state)
{
    const main_conf *main = ngx_http_get_module_main_conf(r, ngx_http_coalesce_module);
    const server_block *server = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    const server_conf *conf = conf_of(server);
    coalesce_entry entry = {.size = sizeof(entry)};
    uint32_t found = 1;

    if (conf->patterns.nelts == 0 || state->from_file) {
        return state->table;
    }
    coalesce_table_lookup(state->table, bytes_of(r->headers_in.server), &entry, &found);
    if (found || !has_by_pattern(conf, &r->headers_in.server)) {
        return state->table;
    }
    if (r->connection->ssl == NULL) {
        return main->any_name[state->facts.group];
    }
    server = handshake_server(server, r->http_connection->addr_conf->default_server);
    return main->any_name[conf_of(server)->group];
}

/* Adds a server name. nginx means every depth by "*.example.com", and that and the name itself by
 * ".example.com". Names like "_" have no letter or digit: they match no request. */
static coalesce_result add_name(coalesce_table_builder *builder, ngx_str_t name, uint32_t number,
                                uint32_t group)
{
    u_char pattern[NGX_MAX_CONF_ERRSTR];
    coalesce_result result = COALESCE_OK;
    size_t i = 0;

    while (i < name.len && !isalnum(name.data[i])) {
        i++;
    }
    if (i == name.len) {
        return COALESCE_OK;
    }
    if (name.data[0] == '.') {
        name.data++;
        name.len--;
        result = coalesce_table_builder_entry(builder, bytes_of(name), number, group);
    } else if (name.data[0] == '*') {
        name.data += 2;
        name.len -= 2;
    } else {
        result = coalesce_table_builder_entry(builder, bytes_of(name), number, group);
        return result == COALESCE_DUPLICATE_NAME ? COALESCE_OK : result;
    }
    if (result == COALESCE_OK || result == COALESCE_DUPLICATE_NAME) {
        coalesce_bytes bytes = {pattern, 0};

        bytes.len = (size_t) (ngx_snprintf(pattern, sizeof(pattern), "**.%V", &name) - pattern);
        result = coalesce_table_builder_entry(builder, bytes, number, group);
    }
    /* nginx takes the first of two equal names, as the table does, and warns. */
    return result == COALESCE_DUPLICATE_NAME ? COALESCE_OK : result;
}

/* Returns the table that the listen address shares, or a new one. */
static listen_table *table_of(ngx_conf_t *cf, const main_conf *main,
                              const ngx_http_conf_addr_t *address)
{
    server_conf *conf = conf_of(address->default_server);
    in_port_t port = ngx_inet_get_port(address->opt.sockaddr);
    unsigned tls = address->opt.ssl || ssl_of(address->default_server)->enable;
    listen_table *shared = conf->tables.elts;

    for (ngx_uint_t i = 0; i < conf->tables.nelts; i++) {
        if (shared[i].port == port && shared[i].tls == tls) {
            return &shared[i];
        }
    }
    shared = ngx_array_push(&conf->tables);
    if (shared != NULL) {
        *shared = (listen_table){.port = port, .tls = tls, .builder = new_builder(cf, main)};
    }
    return shared;
}

/* Adds the names of a listen address. Without TLS they are all in the group of the default server,
 * because there is no handshake that could differ. */
static ngx_int_t read_address(ngx_conf_t *cf, const main_conf *main,
                              const ngx_http_conf_addr_t *address)
{
    server_block **server = address->servers.elts;
    const listen_table *shared = table_of(cf, main, address);

    if (shared == NULL || shared->builder == NULL) {
        return NGX_ERROR;
    }
    for (ngx_uint_t i = 0; i < address->servers.nelts; i++) {
        const ngx_http_server_name_t *name = server[i]->server_names.elts;
        const server_block *shook = address->default_server;

        if (shared->tls) {
            /* nginx refuses the handshakes of such a server, so no connection is for it. */
            if (ssl_of(server[i])->reject_handshake) {
                continue;
            }
            shook = handshake_server(server[i], shook);
        }
        for (ngx_uint_t n = 0; n < server[i]->server_names.nelts; n++) {
            coalesce_result result = COALESCE_OK;

            if (!is_pattern(&name[n])) {
                result = add_name(shared->builder, name[n].name, conf_of(server[i])->number,
                                  conf_of(shook)->group);
            }
            if (result != COALESCE_OK) {
                return ngx_http_coalesce_fail(cf, server[i], "server name", &name[n].name, result);
            }
        }
    }
    return NGX_OK;
}

/* Finds the group of the names of a server block in the table of its file. */
static ngx_int_t read_file_group(ngx_conf_t *cf, const server_block *server)
{
    server_conf *conf = conf_of(server);
    const ngx_http_server_name_t *name = server->server_names.elts;

    for (ngx_uint_t i = 0; i < server->server_names.nelts; i++) {
        coalesce_entry entry = {.size = sizeof(entry)};
        uint32_t found = 0;

        coalesce_table_lookup(conf->file, bytes_of(name[i].name), &entry, &found);
        if (found && conf->file_group == COALESCE_GROUP_NONE) {
            conf->file_group = entry.group;
        } else if (found && conf->file_group != entry.group) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "coalesce: %s:%ui: server name \"%V\" of this server: found group %uD in "
                          "the table, expected group %uD of the directive or of the names before",
                          server->file_name, server->line, &name[i].name, entry.group,
                          conf->file_group);
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

static ngx_int_t read_server(ngx_conf_t *cf, main_conf *main, const server_block *server,
                             coalesce_table_builder *numbers)
{
    server_conf *conf = conf_of(server);
    const ngx_http_server_name_t *name = server->server_names.elts;
    coalesce_group_policy policy = {
        .size = sizeof(policy),
        .enforcement = conf->mode == MODE_OBSERVE ? COALESCE_OBSERVE : COALESCE_ENFORCE,
    };
    coalesce_result result;

    ngx_http_coalesce_read_policy(server);
    policy.client_certificates = conf->policy.client_certificates;
    result = coalesce_table_builder_group_for(numbers, &conf->policy, &policy, &conf->group);
    if (result != COALESCE_OK) {
        return ngx_http_coalesce_fail(cf, server, "policy", &server->server_name, result);
    }
    if (conf->group > main->groups.nelts) {
        coalesce_group_policy *group = ngx_array_push(&main->groups);

        if (group == NULL) {
            return NGX_ERROR;
        }
        *group = policy;
    }
    /* nginx frees its list of names when the configuration is read. */
    for (ngx_uint_t i = 0; i < server->server_names.nelts; i++) {
        if (is_pattern(&name[i])) {
            ngx_http_server_name_t *kept = ngx_array_push(&conf->patterns);

            if (kept == NULL) {
                return NGX_ERROR;
            }
            *kept = name[i];
        }
    }
    if (conf->file != NULL && read_file_group(cf, server) != NGX_OK) {
        return NGX_ERROR;
    }
    return ngx_http_coalesce_read_certificates(cf, server);
}

/* Makes the tables for patterns: in the table of a group each name belongs to the group. */
static ngx_int_t build_any_name(ngx_conf_t *cf, main_conf *main)
{
    main->any_name = ngx_pcalloc(cf->pool, (main->groups.nelts + 1) * sizeof(coalesce_table *));
    for (uint32_t group = 1; main->any_name && group <= main->groups.nelts; group++) {
        coalesce_table_builder *builder = new_builder(cf, main);
        coalesce_bytes any = {(const uint8_t *) "*", 1};

        if (builder == NULL
            || coalesce_table_builder_entry(builder, any, 0, group) != COALESCE_OK
            || build(cf, builder, &main->any_name[group]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }
    return main->any_name ? NGX_OK : NGX_ERROR;
}

/* Makes the tables of the listen addresses. */
static ngx_int_t build_tables(ngx_conf_t *cf, const main_conf *main,
                              const ngx_http_core_main_conf_t *core)
{
    server_block **server = core->servers.elts;
    const ngx_http_conf_port_t *port = core->ports->elts;

    for (ngx_uint_t i = 0; i < core->ports->nelts; i++) {
        const ngx_http_conf_addr_t *address = port[i].addrs.elts;

        for (ngx_uint_t n = 0; n < port[i].addrs.nelts; n++) {
            if (read_address(cf, main, &address[n]) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }
    for (ngx_uint_t i = 0; i < core->servers.nelts; i++) {
        listen_table *shared = conf_of(server[i])->tables.elts;

        for (ngx_uint_t n = 0; n < conf_of(server[i])->tables.nelts; n++) {
            if (build(cf, shared[n].builder, &shared[n].table) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }
    return NGX_OK;
}

ngx_int_t ngx_http_coalesce_read_servers(ngx_conf_t *cf)
{
    main_conf *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_coalesce_module);
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    server_block **server = core->servers.elts;
    coalesce_table_builder *numbers = new_builder(cf, main);
    ngx_uint_t patterns = 0;
    uint64_t client_cas = 0;

    for (uint32_t i = 0; i < core->servers.nelts; i++) {
        conf_of(server[i])->number = i;
        if (numbers == NULL || read_server(cf, main, server[i], numbers) != NGX_OK) {
            return NGX_ERROR;
        }
        patterns += conf_of(server[i])->patterns.nelts;
        client_cas += conf_of(server[i])->policy.client_ca;
    }
    for (ngx_uint_t i = 0; i < core->servers.nelts; i++) {
        conf_of(server[i])->session_number += client_cas;
    }
    if (patterns != 0 && build_any_name(cf, main) != NGX_OK) {
        return NGX_ERROR;
    }
    return build_tables(cf, main, core);
}
