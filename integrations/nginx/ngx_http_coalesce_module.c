/*
 * ngx_http_coalesce_module answers 421 to requests that their connection must not serve.
 *
 * The master process reads the finished configuration: each listen address gets a table of its
 * server names, each server block a group by its TLS policy (`_tables.c`, `_handshake.c`). The
 * workers share this memory. A worker records once what the handshake of a connection met, and
 * decides each of its requests before any other handler sees it.
 */
#include "ngx_http_coalesce.h"

static void free_connection(void *state)
{
    coalesce_identifiers_free(((connection_state *) state)->own);
}

static connection_state *new_connection(ngx_http_request_t *r)
{
    ngx_connection_t *c = r->connection;
    /* The authority of the request changed the server block of `r`, but not that of `hc`. */
    ngx_http_connection_t *hc = r->http_connection;
    server_block *chosen = ngx_http_get_module_srv_conf(hc->conf_ctx, ngx_http_core_module);
    server_block *fallback = hc->addr_conf->default_server;
    server_conf *conf = conf_of(chosen);
    const listen_table *shared = conf_of(fallback)->tables.elts;
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(c->pool, sizeof(connection_state));
    in_port_t port = ngx_inet_get_port(c->local_sockaddr);
    connection_state *state;

    if (cleanup == NULL) {
        return NULL;
    }
    state = cleanup->data;
    ngx_memzero(state, sizeof(*state));
    cleanup->handler = free_connection;
    state->table = conf->file;
    state->from_file = conf->file != NULL;
    for (ngx_uint_t i = 0; !state->table && i < conf_of(fallback)->tables.nelts; i++) {
        if (shared[i].port == port && shared[i].tls == (c->ssl != NULL)) {
            state->table = shared[i].table;
        }
    }
    /* A UNIX socket has no port. */
    state->port = port ? port : c->ssl ? 443 : 80;
    state->facts.size = sizeof(state->facts);
    state->facts.ports = conf->ports ? conf->ports->elts : &state->port;
    state->facts.ports_len = conf->ports ? conf->ports->nelts : 1;
    state->facts.scheme = c->ssl ? COALESCE_SCHEME_HTTPS : COALESCE_SCHEME_HTTP;
    state->facts.group = conf_of(fallback)->group;
    if (c->ssl != NULL) {
        ngx_http_coalesce_read_handshake(state, c->ssl->connection,
                                         handshake_server(chosen, fallback));
    }
    if (state->from_file) {
        state->facts.group = conf->file_group;
    }
    return state;
}

static connection_state *find_connection(ngx_http_request_t *r)
{
    /* The streams of an h2 connection share this pool. */
    for (ngx_pool_cleanup_t *c = r->connection->pool->cleanup; c != NULL; c = c->next) {
        if (c->handler == free_connection) {
            return c->data;
        }
    }
    return new_connection(r);
}

static coalesce_request read_request(const ngx_http_request_t *r)
{
    coalesce_request request = {.size = sizeof(request), .scheme = bytes_of(r->schema)};

    if (r->headers_in.host != NULL) {
        /* nginx keeps :authority as the first Host, and refuses a second one. */
        if (r->http_version >= NGX_HTTP_VERSION_20) {
            request.authority = bytes_of(r->headers_in.host->value);
        } else {
            request.host = bytes_of(r->headers_in.host->value);
            request.host_count = 1;
        }
    }
    if (r->host_start != NULL) {
        /* The absolute-form of HTTP/1.1 (RFC 9112 §3.2.2). A Host that differs is refused, because
         * $http_host still has it. */
        const u_char *end = r->port_end ? r->port_end : r->host_end;

        request.authority = (coalesce_bytes){r->host_start, (size_t) (end - r->host_start)};
    }
    return request;
}

/* An indexed variable outlives an internal redirect, which clears the contexts of modules. */
static void set_variable(ngx_http_request_t *r, ngx_int_t index, const char *text)
{
    ngx_http_variable_value_t *value = &r->variables[index];

    value->data = (u_char *) text;
    value->len = (unsigned) ngx_strlen(text);
    value->valid = 1;
    value->no_cacheable = 0;
    value->not_found = value->len == 0;
}

/* Returns the one field that names the host. Absent if the request has both: it is rare. */
static coalesce_bytes only_name(const coalesce_request *request)
{
    if (request->authority.data == NULL) {
        return request->host;
    }
    return request->host.data == NULL ? request->authority : (coalesce_bytes){NULL, 0};
}

/* Whether the connection served such a request last. A verdict depends on nothing else that changes
 * while the connection is open. */
static ngx_uint_t is_last(const served_request *last, const server_conf *conf,
                          const coalesce_request *request)
{
    coalesce_bytes name = only_name(request);

    return name.len != 0 && name.len == last->name_len && conf == last->conf
           && request->scheme.len == last->scheme_len
           && ngx_memcmp(name.data, last->name, name.len) == 0
           && (last->scheme_len == 0
               || ngx_memcmp(request->scheme.data, last->scheme, last->scheme_len) == 0);
}

static void keep_last(served_request *last, const server_conf *conf,
                      const coalesce_request *request, const coalesce_verdict *verdict)
{
    coalesce_bytes name = only_name(request);

    last->name_len = 0;
    if (name.len == 0 || name.len > sizeof(last->name)
        || request->scheme.len > sizeof(last->scheme))
    {
        return;
    }
    last->conf = conf;
    last->verdict = verdict->observed ? "observed" : "serve";
    last->reason = coalesce_reason_code(verdict->observed);
    last->scheme_len = (uint8_t) request->scheme.len;
    last->name_len = (uint8_t) name.len;
    ngx_memcpy(last->name, name.data, name.len);
    if (request->scheme.len != 0) {
        ngx_memcpy(last->scheme, request->scheme.data, request->scheme.len);
    }
}

/* Refuses a request. The client sees the status alone, the operator the reason. */
static ngx_int_t refuse(ngx_http_request_t *r, const char *verdict, const char *reason,
                        ngx_uint_t status)
{
    const main_conf *main = ngx_http_get_module_main_conf(r, ngx_http_coalesce_module);

    set_variable(r, main->verdict_index, verdict);
    set_variable(r, main->reason_index, reason);
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "coalesce: refused with status %ui, reason \"%s\"", status, reason);
    return (ngx_int_t) status;
}

/* Whether nginx chose a server block that the decision is about. nginx compares names as they are
 * written, the table by their meaning ("%61" is "a"), so they may choose different ones. */
static ngx_uint_t is_decided(const server_conf *conf, const connection_state *state,
                             const coalesce_table *table, const coalesce_verdict *verdict)
{
    if (!state->from_file) {
        /* A table of patterns has no numbers of server blocks. */
        return table != state->table || verdict->virtual_host == conf->number;
    }
    if (conf->file != state->table) {
        return 0;
    }
    /* A server block without a name in the file is for hosts that the file does not have. */
    return conf->file_group == verdict->group
           || (conf->file_group == COALESCE_GROUP_NONE
               && verdict->served_as == COALESCE_AS_UNLISTED);
}

static ngx_int_t decide(ngx_http_request_t *r)
{
    const server_conf *conf = ngx_http_get_module_srv_conf(r, ngx_http_coalesce_module);
    const main_conf *main = ngx_http_get_module_main_conf(r, ngx_http_coalesce_module);
    coalesce_verdict verdict = {.size = sizeof(verdict)};
    connection_state *state;
    const coalesce_table *table;
    coalesce_request request;
    coalesce_result result;

    if (conf->mode == MODE_OFF || r != r->main) {
        return NGX_DECLINED;
    }
    state = find_connection(r);
    if (state == NULL || state->table == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    request = read_request(r);
    if (!is_last(&state->last, conf, &request)) {
        table = ngx_http_coalesce_find_table(r, state);
        result = coalesce_decide(table, &state->facts, &request, &verdict);
        if (result != COALESCE_OK) {
            return refuse(r, "malformed", coalesce_result_text(result), verdict.status);
        }
        if (verdict.outcome != COALESCE_SERVE) {
            return refuse(r, verdict.outcome == COALESCE_MISDIRECTED ? "misdirected" : "malformed",
                          coalesce_reason_code(verdict.reason), verdict.status);
        }
        if (!is_decided(conf, state, table, &verdict)) {
            return refuse(r, "misdirected", "server_block", NGX_HTTP_MISDIRECTED_REQUEST);
        }
        keep_last(&state->last, conf, &request, &verdict);
        set_variable(r, main->verdict_index, verdict.observed ? "observed" : "serve");
        set_variable(r, main->reason_index, coalesce_reason_code(verdict.observed));
        return NGX_DECLINED;
    }
    set_variable(r, main->verdict_index, state->last.verdict);
    set_variable(r, main->reason_index, state->last.reason);
    return NGX_DECLINED;
}

/* Reads the finished configuration. Every error is found here, so `nginx -t` shows it, and a reload
 * keeps the old configuration. */
static ngx_int_t prepare(ngx_conf_t *cf)
{
    static ngx_str_t verdict = ngx_string("coalesce_verdict");
    static ngx_str_t reason = ngx_string("coalesce_reason");
    main_conf *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_coalesce_module);
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    server_block **server = core->servers.elts;
    ngx_http_handler_pt *handler;
    ngx_uint_t i = 0;

    main->verdict_index = ngx_http_get_variable_index(cf, &verdict);
    main->reason_index = ngx_http_get_variable_index(cf, &reason);
    while (i < core->servers.nelts && conf_of(server[i])->mode == MODE_OFF) {
        i++;
    }
    if (i == core->servers.nelts || core->ports == NULL) {
        return NGX_OK;
    }
    handler = ngx_array_push(&core->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (handler == NULL) {
        return NGX_ERROR;
    }
    *handler = decide;
    return ngx_http_coalesce_read_servers(cf);
}

static char *set_mode(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    static const char *const names[] = {"off", "on", "observe"};
    const ngx_str_t *value = cf->args->elts;
    ngx_uint_t *mode = &((server_conf *) conf)->mode;

    (void) command;
    if (*mode != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }
    for (ngx_uint_t i = MODE_OFF; i <= MODE_OBSERVE; i++) {
        if (ngx_strcmp(value[1].data, names[i]) == 0) {
            *mode = i;
            return NGX_CONF_OK;
        }
    }
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "coalesce: found \"%V\", expected \"on\", \"off\" or \"observe\"",
                       &value[1]);
    return NGX_CONF_ERROR;
}

static char *set_ports(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    const ngx_str_t *value = cf->args->elts;
    ngx_array_t **ports = &((server_conf *) conf)->ports;

    (void) command;
    if (*ports != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }
    *ports = ngx_array_create(cf->pool, cf->args->nelts, sizeof(uint16_t));
    for (ngx_uint_t i = 1; *ports != NULL && i < cf->args->nelts; i++) {
        ngx_int_t number = ngx_atoi(value[i].data, value[i].len);
        uint16_t *port = ngx_array_push(*ports);

        if (port == NULL || number < 1 || number > 65535 || i > COALESCE_PORTS_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "coalesce_ports: found \"%V\" as number %ui, expected at most %ui "
                               "ports from 1 to 65535",
                               &value[i], i, (ngx_uint_t) COALESCE_PORTS_MAX);
            return NGX_CONF_ERROR;
        }
        *port = (uint16_t) number;
    }
    return *ports == NULL ? NGX_CONF_ERROR : NGX_CONF_OK;
}

/* Reads a file into the pool, which the workers share. A mapped file would end them if it were
 * changed in place. */
static ngx_int_t read_file(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *content)
{
    ngx_file_info_t info;
    ngx_fd_t fd;
    ssize_t len = -1;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_ERROR;
    }
    fd = ngx_open_file(path->data, NGX_FILE_RDONLY | NGX_FILE_NONBLOCK, NGX_FILE_OPEN, 0);
    if (fd != NGX_INVALID_FILE && ngx_fd_info(fd, &info) != NGX_FILE_ERROR && ngx_is_file(&info)) {
        content->len = (size_t) ngx_file_size(&info);
        content->data = ngx_palloc(cf->pool, content->len + 1);
        len = content->data ? ngx_read_fd(fd, content->data, content->len) : -1;
    }
    if (len < 0 || (size_t) len != content->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "coalesce_table: cannot read \"%V\", expected a compiled table", path);
    }
    if (fd != NGX_INVALID_FILE) {
        ngx_close_file(fd);
    }
    return len >= 0 && (size_t) len == content->len ? NGX_OK : NGX_ERROR;
}

static void free_table(void *table)
{
    coalesce_table_free(table);
}

static char *set_table(ngx_conf_t *cf, ngx_command_t *command, void *pointer)
{
    ngx_str_t *value = cf->args->elts;
    server_conf *conf = pointer;
    ngx_str_t content = ngx_null_string;
    coalesce_result result;

    (void) command;
    if (conf->file != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }
    if (cf->args->nelts == 3) {
        ngx_int_t group = NGX_ERROR;

        if (ngx_strncmp(value[2].data, "group=", 6) == 0) {
            group = ngx_atoi(value[2].data + 6, value[2].len - 6);
        }
        if (group < 0 || group >= (ngx_int_t) COALESCE_GROUP_NONE) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "coalesce_table: found \"%V\", expected \"group=\" and a number",
                               &value[2]);
            return NGX_CONF_ERROR;
        }
        conf->file_group = (uint32_t) group;
    }
    if (read_file(cf, &value[1], &content) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    result = coalesce_table_from_static(bytes_of(content), &conf->file);
    if (result != COALESCE_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "coalesce_table: \"%V\": %s", &value[1],
                           coalesce_result_text(result));
        return NGX_CONF_ERROR;
    }
    if (ngx_http_coalesce_free_with(cf->pool, free_table, conf->file) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

static ngx_int_t no_value(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t data)
{
    (void) r, (void) data;
    value->not_found = 1;
    return NGX_OK;
}

static ngx_int_t add_variables(ngx_conf_t *cf)
{
    static ngx_str_t names[] = {ngx_string("coalesce_verdict"), ngx_string("coalesce_reason")};

    for (ngx_uint_t i = 0; i < 2; i++) {
        ngx_http_variable_t *variable = ngx_http_add_variable(cf, &names[i], 0);

        if (variable == NULL) {
            return NGX_ERROR;
        }
        variable->get_handler = no_value;
    }
    return NGX_OK;
}

static void *create_main_conf(ngx_conf_t *cf)
{
    main_conf *main = ngx_pcalloc(cf->pool, sizeof(main_conf));

    if (main == NULL
        || ngx_array_init(&main->groups, cf->pool, 4, sizeof(coalesce_group_policy)) != NGX_OK)
    {
        return NULL;
    }
    return main;
}

static void *create_server_conf(ngx_conf_t *cf)
{
    server_conf *conf = ngx_pcalloc(cf->pool, sizeof(server_conf));

    if (conf == NULL
        || ngx_array_init(&conf->presented, cf->pool, 1, sizeof(presented_certificate)) != NGX_OK
        || ngx_array_init(&conf->patterns, cf->pool, 1, sizeof(ngx_http_server_name_t)) != NGX_OK
        || ngx_array_init(&conf->tables, cf->pool, 1, sizeof(listen_table)) != NGX_OK)
    {
        return NULL;
    }
    conf->mode = NGX_CONF_UNSET_UINT;
    conf->ports = NGX_CONF_UNSET_PTR;
    conf->file = NGX_CONF_UNSET_PTR;
    conf->file_group = COALESCE_GROUP_NONE;
    return conf;
}

static char *merge_server_conf(ngx_conf_t *cf, void *parent, void *child)
{
    server_conf *outer = parent, *conf = child;

    (void) cf;
    ngx_conf_merge_uint_value(conf->mode, outer->mode, MODE_OFF);
    ngx_conf_merge_ptr_value(conf->ports, outer->ports, NULL);
    if (conf->file == NGX_CONF_UNSET_PTR) {
        conf->file_group = outer->file_group;
    }
    ngx_conf_merge_ptr_value(conf->file, outer->file, NULL);
    ngx_conf_merge_str_value(conf->group_name, outer->group_name, "");
    return NGX_CONF_OK;
}

#define IN_SERVER (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF)

static ngx_command_t commands[] = {
    {ngx_string("coalesce"), IN_SERVER | NGX_CONF_TAKE1, set_mode, NGX_HTTP_SRV_CONF_OFFSET, 0,
     NULL},
    {ngx_string("coalesce_ports"), IN_SERVER | NGX_CONF_1MORE, set_ports,
     NGX_HTTP_SRV_CONF_OFFSET, 0, NULL},
    {ngx_string("coalesce_table"), IN_SERVER | NGX_CONF_TAKE12, set_table,
     NGX_HTTP_SRV_CONF_OFFSET, 0, NULL},
    {ngx_string("coalesce_group"), IN_SERVER | NGX_CONF_TAKE1, ngx_conf_set_str_slot,
     NGX_HTTP_SRV_CONF_OFFSET, offsetof(server_conf, group_name), NULL},
    ngx_null_command,
};

static ngx_http_module_t context = {
    .preconfiguration = add_variables,
    .postconfiguration = prepare,
    .create_main_conf = create_main_conf,
    .create_srv_conf = create_server_conf,
    .merge_srv_conf = merge_server_conf,
};

ngx_module_t ngx_http_coalesce_module = {
    NGX_MODULE_V1,
    &context,
    commands,
    NGX_HTTP_MODULE,
    NULL,  /* init master */
    NULL,  /* init module */
    NULL,  /* init process */
    NULL,  /* init thread */
    NULL,  /* exit thread */
    NULL,  /* exit process */
    NULL,  /* exit master */
    NGX_MODULE_V1_PADDING,
};
