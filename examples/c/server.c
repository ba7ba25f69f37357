/* A TLS server that decides each request with coalesce: HTTP/1.1, one connection after the other.
   Run `server 127.0.0.1:8443` where shop.pem, shop.key, admin.pem and admin.key are. */
#include <coalesce.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HOSTS = 3 };
static const struct { const char *name, *chain, *key; } hosts[HOSTS] = { /* by virtual host */
    { "shop.test", "shop.pem", "shop.key" }, { "img.test", "shop.pem", "shop.key" },
    { "admin.test", "admin.pem", "admin.key" } };
static const coalesce_handshake_policy policy = {
    .size = sizeof policy, .client_certificates = COALESCE_CLIENTS_NOT_ASKED };
static SSL_CTX *contexts[HOSTS];
static coalesce_table *table;

static void need(int fine, const char *fault) {
    if (fine) return;
    fprintf(stderr, "%s\n", fault);
    exit(1);
}
static void ok(coalesce_result code) { need(code == COALESCE_OK, coalesce_result_text(code)); }
static coalesce_bytes bytes(const void *data, size_t len) { return (coalesce_bytes){ data, len }; }
static coalesce_bytes text(const char *name) { return bytes(name, name ? strlen(name) : 0); }

static int choose(SSL *tls, int *alert, void *unused) { /* the certificate of the server name */
    const char *name = SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
    coalesce_entry entry = { .size = sizeof entry };
    uint32_t found = 0;
    (void)alert, (void)unused, (void)coalesce_table_lookup(table, text(name), &entry, &found);
    if (found) SSL_set_SSL_CTX(tls, contexts[entry.virtual_host]);
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context(const char *chain, const char *key) {
    unsigned char *der = NULL;
    coalesce_identifiers *presented;
    SSL_CTX *made = SSL_CTX_new(TLS_server_method());
    need(SSL_CTX_use_certificate_chain_file(made, chain) == 1, chain);
    need(SSL_CTX_use_PrivateKey_file(made, key, SSL_FILETYPE_PEM) == 1, key);
    int len = i2d_X509(SSL_CTX_get0_certificate(made), &der);
    ok(coalesce_identifiers_from_der(bytes(der, (size_t)len), &presented));
    SSL_CTX_set_app_data(made, presented); /* once, for all connections with this certificate */
    SSL_CTX_set_tlsext_servername_callback(made, choose);
    /* Without sessions, every handshake presents the certificate that decides. */
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(made, SSL_OP_NO_TICKET);
    return made;
}

static void serve(BIO *client, const coalesce_connection *connection) {
    char line[8192], host[sizeof line], *value, *end;
    while (BIO_gets(client, line, sizeof line) > 0) { /* requests without content, of one form */
        coalesce_request request = { .size = sizeof request };
        coalesce_verdict verdict = { .size = sizeof verdict };
        int bad = strncmp(line, "GET /", 5) || !strstr(line, " HTTP/1.1\r\n");
        while (BIO_gets(client, line, sizeof line) > 0 && strcmp(line, "\r\n")) {
            value = line + strcspn(line, ": \t");
            bad |= *value++ != ':' || !strstr(value, "\r\n") || !strncasecmp(line, "content-", 8) ||
                   !strncasecmp(line, "transfer-", 9);
            if (bad || strncasecmp(line, "host:", 5)) continue;
            for (value += strspn(value, " \t"), end = strchr(value, '\r');
                 end > value && strchr(" \t", end[-1]); end--);
            request.host = bytes(memcpy(host, value, strlen(value)), (size_t)(end - value));
            request.host_count++; /* more than one is malformed */
        }
        coalesce_decide(table, connection, &request, &verdict); /* if it fails: malformed, 500 */
        if (bad) verdict = (coalesce_verdict){ .outcome = COALESCE_MALFORMED, .status = 400 };
        int served = verdict.outcome == COALESCE_SERVE;
        const char *content = served ? hosts[verdict.virtual_host].name : "not served here";
        if (!served) fprintf(stderr, "refused: %s\n", coalesce_reason_text(verdict.reason));
        BIO_printf(client, "HTTP/1.1 %u \r\ncontent-length: %zu\r\n\r\n%s\n",
                   served ? 200 : verdict.status, strlen(content) + 1, content);
        if (BIO_flush(client) != 1 || verdict.outcome == COALESCE_MALFORMED) return;
    }
}

int main(int count, char **arguments) {
    coalesce_table_builder *builder;
    uint32_t group;
    need(count == 2, "expected an address with a port");
    ok(coalesce_table_builder_new(&builder));
    ok(coalesce_table_builder_group_for(builder, &policy, NULL, &group));
    for (uint32_t host = 0; host < HOSTS; host++) {
        ok(coalesce_table_builder_entry(builder, text(hosts[host].name), host, group));
        contexts[host] = context(hosts[host].chain, hosts[host].key);
    }
    ok(coalesce_table_builder_build(builder, &table));
    coalesce_table_builder_free(builder);
    BIO *listener = BIO_new_accept(arguments[1]);
    BIO *tls = BIO_push(BIO_new(BIO_f_buffer()), BIO_new_ssl(contexts[0], 0));
    BIO_set_accept_bios(listener, tls);
    need(BIO_do_accept(listener) == 1, "cannot listen");
    const uint16_t port = (uint16_t)atoi(BIO_get_accept_port(listener));
    printf("listening on %s:%u\n", BIO_get_accept_name(listener), port), fflush(stdout);
    for (signal(SIGPIPE, SIG_IGN); BIO_do_accept(listener) == 1;) {
        BIO *client = BIO_pop(listener);
        SSL *ssl;
        if (BIO_get_ssl(client, &ssl) == 1 && BIO_do_handshake(client) == 1) {
            const coalesce_handshake_facts met = {
                .size = sizeof met, .client_certificate = COALESCE_CLIENT_NOT_ASKED,
                .tls_version = (uint32_t)SSL_version(ssl) };
            serve(client, &(coalesce_connection){
                .size = sizeof(coalesce_connection), .scheme = COALESCE_SCHEME_HTTPS,
                .group = group, .policy = &policy, .met = &met,
                .presented = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)),
                .server_name = text(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)),
                .ports = &port, .ports_len = 1 });
        }
        BIO_free_all(client);
    }
}
