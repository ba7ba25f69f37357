/* Reads the TLS policy of a virtual host from its SSL_CTX and its directives, and the facts of a
 * handshake. */
#include "module.h"

APLOG_USE_MODULE(coalesce);

static apr_status_t free_identifiers(void *identifiers)
{
    coalesce_identifiers_free(identifiers);
    return APR_SUCCESS;
}

static uint64_t number_of(EVP_MD_CTX *digest)
{
    unsigned char octets[EVP_MAX_MD_SIZE];
    uint64_t number;
    if (!EVP_DigestFinal_ex(digest, octets, NULL)) {
        return 0;
    }
    memcpy(&number, octets, sizeof number);
    return number | 1; /* 0 says that there is none */
}

/* Directives that change nothing for another host on the connection, or that the SSL_CTX shows. */
static const char *const irrelevant[] = {
    "SSLEngine", "SSLCertificateFile", "SSLCertificateKeyFile", "SSLCertificateChainFile",
    "SSLVerifyClient", "SSLCACertificateFile", "SSLProtocol", "SSLCipherSuite", "SSLOptions",
    "SSLUseStapling", "SSLSessionCacheTimeout", "SSLHonorCipherOrder", "SSLRenegBufferSize",
    "SSLUserName", "SSLSessionTickets", "SSLSessionTicketKeyFile", "SSLStrictSNIVHostCheck",
    "SSLVHostSNIPolicy", "SSLRequireSSL", "SSLRequire", NULL};

/* Directives about the verification of clients, beside those of which the SSL_CTX shows all. */
static const char *const clients[] = {"SSLVerifyDepth", "SSLCACertificatePath", "SSLCARevocation",
                                      "SSLCADNRequest", "SSLOCSP", "SSLSRP", NULL};

static int is_one_of(const char *directive, const char *const *names, int whole)
{
    for (; *names; names++) {
        if (!(whole ? strcasecmp(directive, *names)
                    : strncasecmp(directive, *names, strlen(*names)))) {
            return 1;
        }
    }
    return 0;
}

/* Adds the directives that begin with "SSL", because the structures of mod_ssl are private. An
 * unknown directive separates virtual hosts, which is the safe side. Returns the number added. */
static int add_directives(const server_rec *server, EVP_MD_CTX *digest, int of_clients)
{
    const ap_directive_t *at = coalesce_directives(server);
    int added = 0;
    if (!at) {
        /* Nothing is known, so this virtual host shares connections with none. */
        EVP_DigestUpdate(digest, &server, sizeof server);
        return 1;
    }
    for (; at; at = at->next) {
        if (!strncasecmp(at->directive, "SSL", 3)
            && strncasecmp(at->directive, "SSLProxy", 8)
            && strncasecmp(at->directive, "SSLStapling", 11)
            && !is_one_of(at->directive, irrelevant, 1)
            && is_one_of(at->directive, clients, 0) == of_clients) {
            EVP_DigestUpdate(digest, at->directive, strlen(at->directive) + 1);
            EVP_DigestUpdate(digest, at->args, strlen(at->args) + 1);
            added++;
        }
    }
    return added;
}

/* Returns the number of everything by which clients are verified, or 0 if there is nothing. */
static uint64_t clients_number(const tls_host *host, EVP_MD_CTX *digest)
{
    STACK_OF(X509_OBJECT) *cas = X509_STORE_get0_objects(SSL_CTX_get_cert_store(host->context));
    uint64_t sum = 0; /* of the digests, because the store does not keep the order of the file */
    int found = SSL_CTX_get_verify_mode(host->context) != SSL_VERIFY_NONE;
    EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
    for (int i = 0; i < sk_X509_OBJECT_num(cas); i++) {
        const X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(cas, i));
        unsigned char octets[EVP_MAX_MD_SIZE];
        uint64_t part;
        if (ca && X509_digest(ca, EVP_sha256(), octets, NULL)) {
            memcpy(&part, octets, sizeof part);
            sum += part;
            found++;
        }
    }
    EVP_DigestUpdate(digest, &sum, sizeof sum);
    found += add_directives(host->server, digest, 1);
    return found ? number_of(digest) : 0;
}

static void read_policy(tls_host *host, EVP_MD_CTX *digest)
{
    coalesce_handshake_policy *policy = &host->policy;
    STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(host->context);
    int verify = SSL_CTX_get_verify_mode(host->context);
    long maximum = SSL_CTX_get_max_proto_version(host->context);
    policy->size = sizeof *policy;
    policy->client_certificates = verify == SSL_VERIFY_NONE ? COALESCE_CLIENTS_NOT_ASKED
                                  : verify & SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                                      ? COALESCE_CLIENTS_REQUIRED
                                      : COALESCE_CLIENTS_OPTIONAL;
    policy->tls_version_min = (uint32_t)SSL_CTX_get_min_proto_version(host->context);
    policy->client_ca = clients_number(host, digest);
    EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
    /* A <Directory> may ask clients for certificates even if the virtual host does not. */
    EVP_DigestUpdate(digest, &policy->client_ca, sizeof policy->client_ca);
    EVP_DigestUpdate(digest, &maximum, sizeof maximum);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        uint32_t id = SSL_CIPHER_get_id(sk_SSL_CIPHER_value(ciphers, i));
        EVP_DigestUpdate(digest, &id, sizeof id);
    }
    add_directives(host->server, digest, 0);
    if (host->config->group) {
        EVP_DigestUpdate(digest, host->config->group, strlen(host->config->group) + 1);
    }
    policy->other = number_of(digest);
}

static coalesce_result identifiers_of(X509 *certificate, coalesce_identifiers **identifiers)
{
    unsigned char *der = NULL;
    int length = certificate ? i2d_X509(certificate, &der) : -1;
    coalesce_bytes encoded = {der, length < 0 ? 0 : (size_t)length};
    coalesce_result result = length < 0 ? COALESCE_INVALID_CERTIFICATE
                                        : coalesce_identifiers_from_der(encoded, identifiers);
    OPENSSL_free(der);
    return result;
}

/* Reads the identifiers of every certificate of a virtual host, of RSA and ECDSA for example. */
static void read_certificates(tls_host *host, apr_pool_t *pool)
{
    X509 *current = SSL_CTX_get0_certificate(host->context);
    long next = SSL_CERT_SET_FIRST;
    for (; SSL_CTX_set_current_cert(host->context, next); next = SSL_CERT_SET_NEXT) {
        X509 *certificate = SSL_CTX_get0_certificate(host->context);
        presented *entry = apr_array_push(host->certificates);
        entry->certificate = certificate;
        coalesce_result result = identifiers_of(certificate, &entry->identifiers);
        if (result != COALESCE_OK) {
            /* It covers no host, so its connections get 421. */
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, host->server, "certificate of %s: %s",
                         host->server->server_hostname, coalesce_result_text(result));
            entry->identifiers = NULL;
            continue;
        }
        apr_pool_cleanup_register(pool, entry->identifiers, free_identifiers,
                                  apr_pool_cleanup_null);
    }
    if (current) {
        SSL_CTX_select_current_cert(host->context, current);
    }
}

static void read_ports(tls_host *host, apr_pool_t *pool)
{
    host->ports = host->config->ports;
    if (host->ports) {
        return;
    }
    host->ports = apr_array_make(pool, 1, sizeof(uint16_t));
    for (const server_addr_rec *at = host->server->addrs; at; at = at->next) {
        int known = 0;
        if (at->host_port == 0) {
            apr_array_clear(host->ports);
            return;
        }
        for (int i = 0; i < host->ports->nelts; i++) {
            known |= APR_ARRAY_IDX(host->ports, i, uint16_t) == at->host_port;
        }
        if (!known) {
            APR_ARRAY_PUSH(host->ports, uint16_t) = at->host_port;
        }
    }
}

int coalesce_read_host(tls_host *host, apr_pool_t *pconf)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    if (!digest) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    read_policy(host, digest);
    EVP_MD_CTX_free(digest);
    read_certificates(host, pconf);
    read_ports(host, pconf);
    return host->ports->nelts <= COALESCE_PORTS_MAX
               ? OK
               : coalesce_fail(host->server, host->server->server_hostname,
                               "too many ports; expected CoalescePorts");
}

const tls_host *coalesce_host_of(const generation *of, const SSL *ssl)
{
    const SSL_CTX *context = SSL_get_SSL_CTX(ssl);
    return apr_hash_get(of->by_context, &context, sizeof context);
}

static int stamp_ticket(SSL *ssl, void *of)
{
    const tls_host *host = coalesce_host_of(of, ssl);
    /* A resumed session keeps the stamp of its first handshake. */
    return SSL_session_reused(ssl) || !host
           || SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), &host->policy,
                                              sizeof host->policy);
}

static SSL_TICKET_RETURN check_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                      size_t name_length, SSL_TICKET_STATUS status, void *of)
{
    const tls_host *host = coalesce_host_of(of, ssl);
    void *stamp = NULL;
    size_t length = 0;
    (void)name, (void)name_length;
    if ((status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW) && host
        && SSL_SESSION_get0_ticket_appdata(session, &stamp, &length)
        && length == sizeof host->policy && !memcmp(stamp, &host->policy, length)) {
        return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
    }
    return SSL_TICKET_RETURN_IGNORE_RENEW;
}

void coalesce_bind_tickets(generation *of)
{
    for (int i = 0; i < of->hosts->nelts; i++) {
        tls_host *host = APR_ARRAY_IDX(of->hosts, i, tls_host *);
        SSL_CTX_set_session_ticket_cb(host->context, stamp_ticket, check_ticket, of);
    }
}

/* Collects what the handshake met. A resumed session has the client's certificate and the result of
 * its verification from the first handshake; mod_ssl resumes it for the same virtual host only. */
coalesce_handshake_facts coalesce_facts(SSL *ssl, const tls_host *host)
{
    coalesce_handshake_facts facts = {.size = sizeof facts, .other = host->policy.other};
    facts.tls_version = (uint32_t)SSL_version(ssl);
    if (SSL_get0_peer_certificate(ssl) && SSL_get_verify_result(ssl) == X509_V_OK) {
        facts.client_certificate = COALESCE_CLIENT_VERIFIED;
        facts.client_ca = host->policy.client_ca;
    }
    else if (host->policy.client_certificates == COALESCE_CLIENTS_NOT_ASKED) {
        facts.client_certificate = COALESCE_CLIENT_NOT_ASKED;
    }
    else {
        /* With `optional_no_ca` there may be a certificate, but it proves nothing. */
        facts.client_certificate = COALESCE_CLIENT_ASKED_NONE_GIVEN;
    }
    return facts;
}
