/* What the files of this module share. */
#ifndef NGX_HTTP_COALESCE_H
#define NGX_HTTP_COALESCE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <coalesce.h>

typedef ngx_http_core_srv_conf_t server_block;

typedef enum { MODE_OFF, MODE_ON, MODE_OBSERVE } coalesce_mode;

typedef struct {
    X509 *certificate;
    coalesce_identifiers *identifiers;
} presented_certificate;

/* The table of the addresses that share a port and a default server. */
typedef struct {
    in_port_t port;
    unsigned tls;
    coalesce_table_builder *builder;  /* while the configuration is read */
    coalesce_table *table;
} listen_table;

/* What the module knows of a server block. */
typedef struct {
    ngx_uint_t mode;
    ngx_array_t *ports;             /* uint16_t; NULL for the port of the listen directive */
    ngx_str_t group_name;
    coalesce_table *file;           /* of coalesce_table; NULL for the tables of this module */
    uint32_t file_group;            /* the group of the server block in that table */
    uint32_t number;                /* the virtual host in the tables of this module */
    uint32_t group;                 /* the group there */
    coalesce_handshake_policy policy;
    uint64_t session_number;        /* of its certificates and of all client CAs */
    ngx_array_t presented;          /* presented_certificate */
    ngx_array_t patterns;           /* ngx_http_server_name_t which no table can have */
    ngx_array_t tables;             /* listen_table, of a default server */
} server_conf;

typedef struct {
    ngx_int_t verdict_index, reason_index;
    ngx_array_t groups;             /* coalesce_group_policy of the groups from 1 */
    coalesce_table **any_name;      /* per group: a table in which each name belongs to it */
} main_conf;

/* The last request that a connection served. The same one is served again without a decision. */
typedef struct {
    const server_conf *conf;
    const char *verdict, *reason;
    uint8_t scheme_len, name_len;   /* name_len is 0 if there is none */
    u_char scheme[8];
    u_char name[128];               /* of :authority or Host */
} served_request;

/* What the module knows of a connection. The pool of the connection has it. */
typedef struct {
    coalesce_connection facts;
    coalesce_handshake_facts met;
    const coalesce_table *table;
    ngx_uint_t from_file;           /* the table is that of coalesce_table */
    coalesce_identifiers *own;      /* of a certificate whose file name has variables */
    uint16_t port;
    served_request last;
} connection_state;

extern ngx_module_t ngx_http_coalesce_module;

static inline coalesce_bytes bytes_of(ngx_str_t string)
{
    return (coalesce_bytes){string.data, string.len};
}

static inline server_conf *conf_of(const server_block *server)
{
    return server->ctx->srv_conf[ngx_http_coalesce_module.ctx_index];
}

static inline ngx_http_ssl_srv_conf_t *ssl_of(const server_block *server)
{
    return server->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
}

/* Returns the server block whose TLS configuration makes the handshakes of `server`. One without a
 * certificate leaves them to the default server. */
static inline const server_block *handshake_server(const server_block *server,
                                                   const server_block *fallback)
{
    return ssl_of(server)->ssl.ctx ? server : fallback;
}

/* Calls `handler` with `data` when the pool is destroyed, and now if there is no memory. */
ngx_int_t ngx_http_coalesce_free_with(ngx_pool_t *pool, ngx_pool_cleanup_pt handler, void *data);
/* Writes the error of a server block to the log. Returns NGX_ERROR. */
ngx_int_t ngx_http_coalesce_fail(ngx_conf_t *cf, const server_block *server, const char *what,
                                 const ngx_str_t *value, coalesce_result result);

/* Reads the TLS policy of a server block. */
void ngx_http_coalesce_read_policy(const server_block *server);
/* Reads the certificates of a server block, and hooks its sessions and its client verification. */
ngx_int_t ngx_http_coalesce_read_certificates(ngx_conf_t *cf, const server_block *server);
/* Records what the handshake of a connection met. */
void ngx_http_coalesce_read_handshake(connection_state *state, SSL *ssl, const server_block *shook);

/* Makes the tables and groups of the finished configuration. */
ngx_int_t ngx_http_coalesce_read_servers(ngx_conf_t *cf);
/* Returns the table that decides a request on this connection. */
const coalesce_table *ngx_http_coalesce_find_table(ngx_http_request_t *r,
                                                   const connection_state *state);

#endif
