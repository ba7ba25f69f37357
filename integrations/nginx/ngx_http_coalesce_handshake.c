/* The TLS policy of a server block, and what a handshake met of it. */
#include "ngx_http_coalesce.h"

#define HASH_START 0xcbf29ce484222325

/* FNV-1a. These numbers are only compared with those of the same configuration. */
static uint64_t hash(uint64_t number, const void *data, size_t len)
{
    for (const unsigned char *octet = data; len > 0; octet++, len--) {
        number = (number ^ *octet) * 0x100000001b3;
    }
    /* Marks the end of each part. */
    return (number ^ 0x100) * 0x100000001b3;
}

static uint64_t certificate_number(const X509 *certificate)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    uint64_t number = 0;

    if (certificate != NULL && X509_digest(certificate, EVP_sha256(), digest, NULL)) {
        ngx_memcpy(&number, digest, sizeof(number));
    }
    return number;
}

/* Returns the number of the CAs that verify clients, and of the way in which they do. It stays the
 * same across a reload, because sessions do. Only the name of a revocation list counts, because its
 * content changes every day. */
static uint64_t client_ca_number(const ngx_http_ssl_srv_conf_t *ssl)
{
    STACK_OF(X509_OBJECT) *objects
        = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ssl->ssl.ctx));
    ngx_uint_t any_ca = ssl->verify == 3;
    uint64_t number = hash(HASH_START, &any_ca, sizeof(any_ca));

    number = hash(number, &ssl->verify_depth, sizeof(ssl->verify_depth));
    number = hash(number, &ssl->ocsp, sizeof(ssl->ocsp));
    number = hash(number, ssl->crl.data, ssl->crl.len);
    /* A sum, because the order of the CAs has no meaning. */
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        number += certificate_number(X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i)));
    }
    return number ? number : 1;
}

void ngx_http_coalesce_read_policy(const server_block *server)
{
    static const ngx_uint_t versions[] = {
        NGX_SSL_TLSv1, NGX_SSL_TLSv1_1, NGX_SSL_TLSv1_2, NGX_SSL_TLSv1_3,
    };
    const ngx_http_ssl_srv_conf_t *ssl = ssl_of(server);
    server_conf *conf = conf_of(server);
    coalesce_handshake_policy *policy = &conf->policy;
    uint64_t other = hash(HASH_START, conf->group_name.data, conf->group_name.len);

    policy->size = sizeof(*policy);
    policy->client_certificates = COALESCE_CLIENTS_NOT_ASKED;
    if (ssl->ssl.ctx != NULL) {
        if (ssl->verify) {
            policy->client_certificates
                = ssl->verify == 1 ? COALESCE_CLIENTS_REQUIRED : COALESCE_CLIENTS_OPTIONAL;
            policy->client_ca = client_ca_number(ssl);
        }
        for (uint32_t i = 0; i < 4 && policy->tls_version_min == 0; i++) {
            if (ssl->protocols & versions[i]) {
                policy->tls_version_min = TLS1_VERSION + i;
            }
        }
        other = hash(other, &ssl->protocols, sizeof(ssl->protocols));
        other = hash(other, &ssl->early_data, sizeof(ssl->early_data));
        other = hash(other, ssl->ciphers.data, ssl->ciphers.len);
        for (ngx_uint_t i = 0; ssl->conf_commands && i < ssl->conf_commands->nelts; i++) {
            const ngx_keyval_t *command = &((ngx_keyval_t *) ssl->conf_commands->elts)[i];

            other = hash(other, command->key.data, command->key.len);
            other = hash(other, command->value.data, command->value.len);
        }
    }
    policy->other = other;
}

/* Verifies a client certificate as OpenSSL does, and leaves the number of the CAs in the session.
 * Tickets and session caches keep it there. */
static int verify_client(X509_STORE_CTX *store, void *number)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    SSL_SESSION *session = ssl ? SSL_get_session(ssl) : NULL;

    if (session != NULL) {
        SSL_SESSION_set1_ticket_appdata(session, number, sizeof(uint64_t));
    }
    return X509_verify_cert(store);
}

/* Returns the number that `verify_client` left, or 0. */
static uint64_t session_ca_number(SSL_SESSION *session)
{
    uint64_t number = 0;
    void *data = NULL;
    size_t len = 0;

    if (session && SSL_SESSION_get0_ticket_appdata(session, &data, &len) && len == sizeof(number)) {
        ngx_memcpy(&number, data, len);
    }
    return number;
}

#if (nginx_version < 1029002)
/* Binds sessions to the server name, and to what the configuration trusts. OpenSSL resumes a session
 * before nginx looks at the server name, which RFC 6066 section 3 forbids where the names differ.
 * nginx 1.29.2 looks first. */
static int bind_session(SSL *ssl, int *alert, void *number)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    const unsigned char *name = NULL;
    size_t name_len = 0;
    unsigned int len = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int bound;

    SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &name, &name_len);
    bound = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL)
            && EVP_DigestUpdate(md, number, sizeof(uint64_t))
            && EVP_DigestUpdate(md, name, name_len) && EVP_DigestFinal_ex(md, digest, &len)
            && SSL_set_session_id_context(ssl, digest, len);
    EVP_MD_CTX_free(md);
    *alert = SSL_AD_INTERNAL_ERROR;
    return bound ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}
#endif

static coalesce_result read_certificate(X509 *certificate, coalesce_identifiers **out)
{
    unsigned char *der = NULL;
    int len = i2d_X509(certificate, &der);
    coalesce_result result = COALESCE_INVALID_CERTIFICATE;

    if (len > 0) {
        result = coalesce_identifiers_from_der((coalesce_bytes){der, (size_t) len}, out);
    }
    OPENSSL_free(der);
    return result;
}

static void free_identifiers(void *identifiers)
{
    coalesce_identifiers_free(identifiers);
}

ngx_int_t ngx_http_coalesce_read_certificates(ngx_conf_t *cf, const server_block *server)
{
    server_conf *conf = conf_of(server);
    SSL_CTX *ctx = ssl_of(server)->ssl.ctx;
    X509 *certificate = ctx ? SSL_CTX_get_ex_data(ctx, ngx_ssl_certificate_index) : NULL;

    if (ctx != NULL) {
        SSL_CTX_set_cert_verify_callback(ctx, verify_client, &conf->policy.client_ca);
#if (nginx_version < 1029002)
        SSL_CTX_set_client_hello_cb(ctx, bind_session, &conf->session_number);
#endif
    }
    /* nginx links the certificates of a server block by ex-data. */
    while (certificate != NULL) {
        presented_certificate *presented = ngx_array_push(&conf->presented);
        coalesce_result result;

        if (presented == NULL) {
            return NGX_ERROR;
        }
        presented->certificate = certificate;
        presented->identifiers = NULL;
        conf->session_number += certificate_number(certificate);
        result = read_certificate(certificate, &presented->identifiers);
        if (result != COALESCE_OK) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "coalesce: %s:%ui: a certificate of this server covers no host: %s",
                          server->file_name, server->line, coalesce_result_text(result));
        }
        if (ngx_http_coalesce_free_with(cf->pool, free_identifiers, presented->identifiers)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
        certificate = X509_get_ex_data(certificate, ngx_ssl_next_certificate_index);
    }
    return NGX_OK;
}

/* Whether the session was made for the server name of this handshake. */
static ngx_uint_t same_server_name(SSL *ssl)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const char *first_name = SSL_SESSION_get0_hostname(SSL_get_session(ssl));

    if (name == NULL || first_name == NULL) {
        return name == first_name;
    }
    return ngx_strcasecmp((u_char *) name, (u_char *) first_name) == 0;
}

/* Finds the identifiers of the certificate that the server presented. NULL covers no host. */
static const coalesce_identifiers *find_presented(connection_state *state, SSL *ssl,
                                                  const server_conf *conf)
{
    X509 *certificate = SSL_get_certificate(ssl);
    const presented_certificate *presented = conf->presented.elts;

    for (ngx_uint_t i = 0; i < conf->presented.nelts; i++) {
        if (presented[i].certificate == certificate) {
            return presented[i].identifiers;
        }
    }
    if (certificate == NULL || read_certificate(certificate, &state->own) != COALESCE_OK) {
        state->own = NULL;
    }
    return state->own;
}

void ngx_http_coalesce_read_handshake(connection_state *state, SSL *ssl, const server_block *shook)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    X509 *peer = SSL_get_peer_certificate(ssl);
    long error = SSL_get_verify_result(ssl);
    server_conf *conf = conf_of(shook);
    coalesce_handshake_facts *met = &state->met;

    met->size = sizeof(*met);
    met->tls_version = (uint32_t) SSL_version(ssl);
    met->other = conf->policy.other;
    if (peer != NULL) {
        X509_free(peer);
        if (error == X509_V_OK
            || (ssl_of(shook)->verify == 3 && ngx_ssl_verify_error_optional(error)))
        {
            met->client_certificate = COALESCE_CLIENT_VERIFIED;
        }
        met->client_ca = session_ca_number(SSL_get_session(ssl));
    } else if (!(SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER)) {
        met->client_certificate = COALESCE_CLIENT_NOT_ASKED;
    } else if (!SSL_session_reused(ssl) || same_server_name(ssl)) {
        /* A session of another server name may not have asked. */
        met->client_certificate = COALESCE_CLIENT_ASKED_NONE_GIVEN;
    }
    state->facts.group = conf->group;
    state->facts.policy = &conf->policy;
    state->facts.met = met;
    state->facts.presented = find_presented(state, ssl, conf);
    state->facts.server_name.data = (const uint8_t *) name;
    state->facts.server_name.len = name ? ngx_strlen(name) : 0;
}
