/* The parts of mod_coalesce: names.c reads the names of the virtual hosts into tables, policy.c
 * reads their TLS policies and certificates, mod_coalesce.c has the directives and the hooks. */
#ifndef COALESCE_MODULE_H
#define COALESCE_MODULE_H
#include <mod_ssl_openssl.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <coalesce.h>

/* The only symbol that Apache needs. */
#pragma GCC visibility push(default)
extern module AP_MODULE_DECLARE_DATA coalesce_module;
#pragma GCC visibility pop

enum { MODE_UNSET, MODE_OFF, MODE_ON, MODE_OBSERVE };

/* What the directives of a virtual host say. */
typedef struct {
    int mode;
    apr_array_header_t *ports;   /* of uint16_t; NULL: those of <VirtualHost> */
    const coalesce_table *table; /* NULL: the names of the configuration */
    const char *group;
    apr_array_header_t *proxies; /* of apr_ipsubnet_t *, or NULL */
} server_config;

/* A certificate of a virtual host, whose SSL_CTX owns the X509 object. */
typedef struct {
    const X509 *certificate;
    coalesce_identifiers *identifiers; /* NULL: it could not be read, and covers nothing */
} presented;

/* A virtual host with TLS. */
typedef struct {
    server_rec *server;
    SSL_CTX *context;
    const server_config *config;
    coalesce_handshake_policy policy;
    apr_array_header_t *certificates; /* of presented */
    apr_array_header_t *ports;        /* of uint16_t; empty: the port of the connection */
    uint32_t number;                  /* its place in `hosts` */
} tls_host;

/* Apache's answer for an address and port. Connections with equal keys choose among the same
 * virtual hosts. */
typedef struct {
    const void *names;
    const server_rec *base;
    apr_uintptr_t port;
} listener_key;

typedef struct {
    listener_key key;
    int compiled; /* 1: the table of CoalesceTable, which numbers virtual hosts differently */
    const coalesce_table *table;
    uint32_t *groups; /* by the number of the host; COALESCE_GROUP_NONE: not at this address */
} listener;

/* One generation of the configuration. Made in the parent process, and only read after that. */
typedef struct {
    apr_array_header_t *hosts; /* of tls_host * */
    apr_hash_t *by_context;    /* SSL_CTX * to tls_host * */
    apr_hash_t *by_server;     /* server_rec * to tls_host * */
    apr_hash_t *listeners;     /* listener_key to listener * */
} generation;

static inline coalesce_bytes bytes_of(const char *text)
{
    return (coalesce_bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline const server_config *config_of(const server_rec *server)
{
    return ap_get_module_config(server->module_config, &coalesce_module);
}

/* Logs `file:line: name: text` of a virtual host, and returns an error. */
int coalesce_fail(const server_rec *server, const char *name, const char *text);

/* Returns the directives inside of a virtual host, or NULL if they are not found. The main server
 * has those outside of every virtual host. */
const ap_directive_t *coalesce_directives(const server_rec *server);

/* Checks that the table can express every name of a virtual host. */
int coalesce_check_names(const server_rec *server, apr_pool_t *ptemp);

/* Makes the table of each address and port at which Apache listens. */
int coalesce_make_listeners(generation *of, server_rec *main, apr_pool_t *pconf, apr_pool_t *ptemp);

/* Reads the policy, the certificates and the ports of a virtual host. */
int coalesce_read_host(tls_host *host, apr_pool_t *pconf);

/* Makes each ticket carry the policy of its handshake. With SSLSessionTicketKeyFile a ticket
 * survives a reload; if the policy is another one then, a full handshake takes place. */
void coalesce_bind_tickets(generation *of);

/* Returns the virtual host that a handshake chose, or NULL. */
const tls_host *coalesce_host_of(const generation *of, const SSL *ssl);

/* Returns what the handshake of a connection met, resumed sessions included. */
coalesce_handshake_facts coalesce_facts(SSL *ssl, const tls_host *host);

apr_status_t coalesce_free_table(void *table);

#endif
