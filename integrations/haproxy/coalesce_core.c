/* The C half of coalesce.lua: one virtual host set for one crt-list, and the decision on it.
 *
 *     core = require("coalesce_core")
 *     set = core.new(observe, extended, unknown)
 *                                           an empty set. It serves what it would refuse, extended
 *                                           CONNECT, and hosts without a name in the set, or not
 *     ca = set:client_ca(crl, path, ...)    reads client CAs; returns their number
 *     group = set:policy(verify, tls_version_min, ca, other)
 *     set:name(pattern, number, group)      adds a name of the group
 *     set:build(default_group, 443, ...)    ends it; the ports are those that clients connect to
 *     outcome, status, reason, number = set:decide(...)
 *     identifiers = core.identifiers(der)   the names of a presented certificate
 *     names = core.certificate_names(path)  the DNS names of a certificate in a PEM file
 *
 * Functions that read the user's files return nil and a message. Misuse is a Lua error. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <coalesce.h>

#define SET "coalesce.set"
#define IDENTIFIERS "coalesce.identifiers"

/* Facts of full handshakes that the threads of this process remember, as digests. A digest has few
 * places. If others have them all, it takes the place of one. */
#define MEMORY_LEN 1024
#define PLACES 8
#define DIGEST_LEN 32

struct memory {
    pthread_mutex_t lock;
    unsigned char digests[MEMORY_LEN][PLACES][DIGEST_LEN];
};

/* Client certificates with the client CAs that verified them. */
static struct memory verified = {.lock = PTHREAD_MUTEX_INITIALIZER};
/* Lines of the crt-list with the names that their certificate presents. */
static struct memory presented = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct client_ca {
    X509_STORE *store;
    unsigned char digest[DIGEST_LEN]; /* of the paths, because all threads must have the same one */
};

struct set {
    coalesce_table_builder *builder;
    coalesce_table *table;
    coalesce_handshake_policy *policies; /* the group is the index plus one */
    size_t policies_len;
    struct client_ca *cas; /* the number is the index plus one */
    size_t cas_len;
    uint16_t ports[COALESCE_PORTS_MAX];
    size_t ports_len;
    uint32_t default_group;
    coalesce_group_policy group_policy; /* of all groups */
};

static struct set *check_set(lua_State *L) { return luaL_checkudata(L, 1, SET); }

static int failed(lua_State *L, const char *message) {
    lua_pushnil(L);
    lua_pushstring(L, message);
    return 2;
}

/* nil is absent, a string is present even if it is empty. */
static coalesce_bytes optional_bytes(lua_State *L, int argument) {
    coalesce_bytes bytes = {NULL, 0};
    if (!lua_isnoneornil(L, argument))
        bytes.data = (const uint8_t *)luaL_checklstring(L, argument, &bytes.len);
    return bytes;
}

/* Reads a number that must lie in a range. */
static uint32_t check_number(lua_State *L, int argument, lua_Integer min, lua_Integer max) {
    lua_Integer number = luaL_checkinteger(L, argument);
    luaL_argcheck(L, number >= min && number <= max, argument, "number out of range");
    return (uint32_t)number;
}

/* Returns the array with room for one more. */
static void *grow(lua_State *L, void *array, size_t len, size_t size) {
    void *grown = realloc(array, (len + 1) * size);
    if (!grown)
        luaL_error(L, "out of memory");
    return grown;
}

static int set_new(lua_State *L) {
    coalesce_group_policy policy = {
        .size = sizeof policy,
        .enforcement = lua_toboolean(L, 1) ? COALESCE_OBSERVE : COALESCE_ENFORCE,
        .connect = lua_toboolean(L, 2) ? COALESCE_CONNECT_EXTENDED : COALESCE_CONNECT_REFUSE,
        .unknown_authority =
            lua_toboolean(L, 3) ? COALESCE_UNKNOWN_TO_APPLICATION : COALESCE_UNKNOWN_MISDIRECTED,
    };
    struct set *set = lua_newuserdata(L, sizeof *set);
    memset(set, 0, sizeof *set);
    luaL_setmetatable(L, SET);
    set->group_policy = policy;
    coalesce_result result = coalesce_table_builder_new(&set->builder);
    if (result != COALESCE_OK)
        return luaL_error(L, "%s", coalesce_result_text(result));
    return 1;
}

static int set_free(lua_State *L) {
    struct set *set = check_set(L);
    coalesce_table_builder_free(set->builder);
    coalesce_table_free(set->table);
    for (size_t ca = 0; ca < set->cas_len; ca++)
        X509_STORE_free(set->cas[ca].store);
    free(set->cas);
    free(set->policies);
    memset(set, 0, sizeof *set);
    return 0;
}

static int load_ca(X509_STORE *store, const char *path) {
    if (strcmp(path, "@system-ca") == 0)
        return X509_STORE_set_default_paths(store);
    return X509_STORE_load_locations(store, path, NULL);
}

/* Reads the file of `crl-file` or nil, then those of `ca-file` and `ca-verify-file`. As HAProxy
 * does, it trusts the CAs of both, and wants a revocation list of each CA in a chain. */
static int set_client_ca(lua_State *L) {
    struct set *set = check_set(L);
    const char *crl = luaL_optstring(L, 2, "");
    int last = lua_gettop(L);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    X509_STORE *store = X509_STORE_new();
    int good = digest && store && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) &&
               EVP_DigestUpdate(digest, crl, strlen(crl) + 1);
    if (good && *crl)
        good = X509_STORE_load_locations(store, crl, NULL) &&
               X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    for (int argument = 3; good && argument <= last; argument++) {
        const char *path = lua_tostring(L, argument);
        good = path && EVP_DigestUpdate(digest, path, strlen(path) + 1) && load_ca(store, path);
    }
    struct client_ca ca = {store, {0}};
    good = good && EVP_DigestFinal_ex(digest, ca.digest, NULL);
    EVP_MD_CTX_free(digest);
    ERR_clear_error();
    if (!good) {
        X509_STORE_free(store);
        return failed(L, "expected files of certificates and revocation lists in PEM");
    }
    /* Out of memory, `grow` does not return. The store is lost then, and HAProxy does not start. */
    set->cas = grow(L, set->cas, set->cas_len, sizeof ca);
    set->cas[set->cas_len++] = ca;
    lua_pushinteger(L, (lua_Integer)set->cas_len);
    return 1;
}

static int set_policy(lua_State *L) {
    struct set *set = check_set(L);
    luaL_argcheck(L, set->builder, 1, "the set is built");
    coalesce_handshake_policy policy = {
        .size = sizeof policy,
        .client_certificates =
            check_number(L, 2, COALESCE_CLIENTS_NOT_ASKED, COALESCE_CLIENTS_REQUIRED),
        .tls_version_min = check_number(L, 3, 0, UINT16_MAX),
        .client_ca = check_number(L, 4, 0, (lua_Integer)set->cas_len),
        .other = check_number(L, 5, 0, UINT32_MAX),
    };
    coalesce_group_policy group_policy = set->group_policy;
    group_policy.client_certificates = policy.client_certificates;
    uint32_t group = 0;
    coalesce_result result =
        coalesce_table_builder_group_for(set->builder, &policy, &group_policy, &group);
    if (result != COALESCE_OK)
        return failed(L, coalesce_result_text(result));
    if (group == set->policies_len + 1) {
        set->policies = grow(L, set->policies, set->policies_len, sizeof policy);
        set->policies[set->policies_len++] = policy;
    }
    if (group < 1 || group > set->policies_len)
        return luaL_error(L, "the library counts groups in another way");
    lua_pushinteger(L, group);
    return 1;
}

static int set_name(lua_State *L) {
    struct set *set = check_set(L);
    luaL_argcheck(L, set->builder, 1, "the set is built");
    luaL_checkstring(L, 2);
    uint32_t number = check_number(L, 3, 0, UINT32_MAX - 1);
    uint32_t group = check_number(L, 4, 1, (lua_Integer)set->policies_len);
    coalesce_result result =
        coalesce_table_builder_entry(set->builder, optional_bytes(L, 2), number, group);
    if (result != COALESCE_OK)
        return failed(L, coalesce_result_text(result));
    lua_pushboolean(L, 1);
    return 1;
}

static int set_build(lua_State *L) {
    struct set *set = check_set(L);
    luaL_argcheck(L, set->builder, 1, "the set is built");
    set->default_group = check_number(L, 2, 1, (lua_Integer)set->policies_len);
    int count = lua_gettop(L) - 2;
    luaL_argcheck(L, count >= 1 && count <= COALESCE_PORTS_MAX, 3, "too few or too many ports");
    for (int port = 0; port < count; port++)
        set->ports[port] = (uint16_t)check_number(L, port + 3, 1, UINT16_MAX);
    set->ports_len = (size_t)count;
    coalesce_result result = coalesce_table_builder_build(set->builder, &set->table);
    if (result != COALESCE_OK)
        return failed(L, coalesce_result_text(result));
    coalesce_table_builder_free(set->builder);
    set->builder = NULL;
    lua_pushboolean(L, 1);
    return 1;
}

/* Reads the certificates that the client sent beside its own, one after the other in DER. */
static STACK_OF(X509) *read_chain(coalesce_bytes chain) {
    STACK_OF(X509) *certificates = sk_X509_new_null();
    const unsigned char *at = chain.data;
    const unsigned char *end = at ? at + chain.len : at;
    while (certificates && at < end) {
        X509 *certificate = d2i_X509(NULL, &at, end - at);
        if (!certificate)
            break;
        if (!sk_X509_push(certificates, certificate)) {
            X509_free(certificate);
            break;
        }
    }
    return certificates;
}

static int verify_path(X509_STORE *store, coalesce_bytes client, coalesce_bytes chain) {
    const unsigned char *at = client.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)client.len);
    STACK_OF(X509) *certificates = read_chain(chain);
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    int good = certificate && context &&
               X509_STORE_CTX_init(context, store, certificate, certificates) &&
               X509_STORE_CTX_set_default(context, "ssl_client") &&
               X509_verify_cert(context) == 1;
    X509_STORE_CTX_free(context);
    sk_X509_pop_free(certificates, X509_free);
    X509_free(certificate);
    ERR_clear_error();
    return good;
}

static int make_digest(const void *first, size_t first_len, coalesce_bytes second,
                       unsigned char digest[DIGEST_LEN]) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) &&
               EVP_DigestUpdate(context, first, first_len) &&
               EVP_DigestUpdate(context, second.data, second.len) &&
               EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    return good;
}

/* Returns the place of a digest, or an empty one, or else that of another digest. */
static unsigned char *place_of(struct memory *memory, const unsigned char digest[DIGEST_LEN]) {
    static const unsigned char empty[DIGEST_LEN];
    unsigned char(*places)[DIGEST_LEN] =
        memory->digests[(digest[0] << 8 | digest[1]) % MEMORY_LEN];
    for (size_t i = 0; i < PLACES; i++)
        if (memcmp(places[i], digest, DIGEST_LEN) == 0 || memcmp(places[i], empty, DIGEST_LEN) == 0)
            return places[i];
    return places[digest[2] % PLACES];
}

static int is_remembered(struct memory *memory, const unsigned char digest[DIGEST_LEN]) {
    pthread_mutex_lock(&memory->lock);
    int known = memcmp(place_of(memory, digest), digest, DIGEST_LEN) == 0;
    pthread_mutex_unlock(&memory->lock);
    return known;
}

static void remember(struct memory *memory, const unsigned char digest[DIGEST_LEN]) {
    pthread_mutex_lock(&memory->lock);
    memcpy(place_of(memory, digest), digest, DIGEST_LEN);
    pthread_mutex_unlock(&memory->lock);
}

/* Tells whether these CAs verify the client's certificate.
 *
 * HAProxy verified the certificate in the handshake that made the session, but it does not say
 * with which CAs, and it resumes the session under every other server name. The session has the
 * client's certificate and not the rest of the chain, so a path that the full handshake proved is
 * remembered for the handshakes that resume it. */
static int is_verified_by(const struct client_ca *ca, coalesce_bytes client, coalesce_bytes chain) {
    unsigned char digest[DIGEST_LEN];
    if (!make_digest(ca->digest, DIGEST_LEN, client, digest))
        return 0;
    if (is_remembered(&verified, digest))
        return 1;
    if (!verify_path(ca->store, client, chain))
        return 0;
    remember(&verified, digest);
    return 1;
}

/* Tells whether a handshake is one of the line that its server name chose.
 *
 * On a resumed session of TLS 1.2, OpenSSL gives the server name of the session, and HAProxy the
 * certificate for the server name of the ClientHello. If the line presented other names in its full
 * handshakes, the two server names differ. */
static int is_of_line(uint32_t line, const coalesce_identifiers *names, int is_resumed) {
    unsigned char digest[DIGEST_LEN];
    coalesce_bytes bytes = {NULL, 0};
    if (names)
        bytes = coalesce_identifiers_bytes(names);
    if (!make_digest(&line, sizeof line, bytes, digest))
        return 0;
    if (is_resumed)
        return is_remembered(&presented, digest);
    remember(&presented, digest);
    return 1;
}

/* The arguments of `set:decide`. */
enum {
    IS_TLS = 2,
    SERVER_NAME,
    PRESENTED,
    TLS_VERSION,
    IS_RESUMED,
    CLIENT,        /* the client's certificate in DER, of this session */
    CLIENT_CHAIN,
    CLIENT_VERIFY, /* OpenSSL's result: 0 is good */
    METHOD,
    URL,
    HOST,
    HOST_COUNT,
};

/* Fills in what the handshake met. Returns false if it cannot be a handshake of this line. */
static int read_facts(lua_State *L, const struct set *set, uint32_t line,
                      const coalesce_connection *connection, coalesce_handshake_facts *facts) {
    const coalesce_handshake_policy *policy = connection->policy;
    int is_asked = policy->client_certificates != COALESCE_CLIENTS_NOT_ASKED;
    int is_resumed = lua_toboolean(L, IS_RESUMED);
    coalesce_bytes client = optional_bytes(L, CLIENT);
    const char *version = luaL_optstring(L, TLS_VERSION, "");
    static const char *const versions[] = {"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
    for (uint32_t i = 0; i < sizeof versions / sizeof *versions; i++)
        if (strcmp(version, versions[i]) == 0)
            facts->tls_version = 0x0301 + i;
    /* HAProxy gave the handshake all other options of the line. */
    facts->other = policy->other;
    if (!client.data) {
        facts->client_certificate =
            is_asked ? COALESCE_CLIENT_ASKED_NONE_GIVEN : COALESCE_CLIENT_NOT_ASKED;
        return 1;
    }
    facts->client_certificate = COALESCE_CLIENT_VERIFIED;
    if (!is_asked)
        /* A client sends a certificate only if it is asked, so HAProxy chose another line. */
        return is_resumed;
    if (luaL_optinteger(L, CLIENT_VERIFY, -1) == 0 && policy->client_ca >= 1 &&
        is_verified_by(&set->cas[policy->client_ca - 1], client, optional_bytes(L, CLIENT_CHAIN)))
        facts->client_ca = policy->client_ca;
    return facts->tls_version == 0x0304 || is_of_line(line, connection->presented, is_resumed);
}

/* Splits the target as HAProxy has it: absolute for HTTP/2 with `:authority`, the authority alone
 * for CONNECT, otherwise as the client sent it. The Host field of HTTP/2 is the whole `:authority`:
 * with a delimiter inside, it differs from the authority here, and the request is malformed. */
static void read_target(coalesce_bytes url, coalesce_request *request) {
    if (request->method == COALESCE_METHOD_CONNECT) {
        request->authority = url;
        return;
    }
    for (size_t at = 0; at + 3 <= url.len && !strchr("/?#", url.data[at]); at++) {
        if (memcmp(url.data + at, "://", 3) != 0)
            continue;
        size_t start = at + 3, end = start;
        while (end < url.len && !strchr("/?#", url.data[end]))
            end++;
        request->scheme = (coalesce_bytes){url.data, at};
        request->authority = (coalesce_bytes){url.data + start, end - start};
        return;
    }
}

static int set_decide(lua_State *L) {
    struct set *set = check_set(L);
    luaL_argcheck(L, set->table, 1, "the set is not built");
    int is_tls = lua_toboolean(L, IS_TLS);
    coalesce_handshake_facts facts = {.size = sizeof facts};
    coalesce_connection connection = {
        .size = sizeof connection,
        .scheme = is_tls ? COALESCE_SCHEME_HTTPS : COALESCE_SCHEME_HTTP,
        .group = set->default_group,
        .server_name = optional_bytes(L, SERVER_NAME),
        .ports = set->ports,
        .ports_len = set->ports_len,
    };
    if (is_tls) {
        coalesce_entry entry = {.size = sizeof entry};
        coalesce_result result = COALESCE_OK;
        uint32_t found = 0, line = UINT32_MAX;
        if (connection.server_name.data)
            result = coalesce_table_lookup(set->table, connection.server_name, &entry, &found);
        /* A server name that is none, or that no line has, gets the first line. */
        if (result == COALESCE_OK && found) {
            connection.group = entry.group;
            line = entry.virtual_host;
        }
        if (!lua_isnoneornil(L, PRESENTED))
            connection.presented = *(coalesce_identifiers **)luaL_checkudata(L, PRESENTED,
                                                                             IDENTIFIERS);
        connection.policy = &set->policies[connection.group - 1];
        connection.met = &facts;
        if (!read_facts(L, set, line, &connection, &facts))
            connection.group = COALESCE_GROUP_NONE;
    }
    coalesce_request request = {
        .size = sizeof request,
        .host = optional_bytes(L, HOST),
        .host_count = check_number(L, HOST_COUNT, 0, UINT32_MAX),
        .method = check_number(L, METHOD, COALESCE_METHOD_ORDINARY,
                               COALESCE_METHOD_EXTENDED_CONNECT),
    };
    read_target(optional_bytes(L, URL), &request);
    coalesce_verdict verdict = {.size = sizeof verdict};
    coalesce_result result = coalesce_decide(set->table, &connection, &request, &verdict);
    if (result != COALESCE_OK)
        return luaL_error(L, "%s", coalesce_result_text(result));
    lua_pushinteger(L, verdict.outcome);
    lua_pushinteger(L, verdict.status);
    uint32_t reason = verdict.reason ? verdict.reason : verdict.observed;
    lua_pushstring(L, coalesce_reason_code(reason));
    if (verdict.served_as != COALESCE_AS_VIRTUAL_HOST)
        return 3;
    lua_pushinteger(L, verdict.virtual_host);
    return 4;
}

static int identifiers_new(lua_State *L) {
    luaL_checkstring(L, 1);
    coalesce_identifiers **identifiers = lua_newuserdata(L, sizeof *identifiers);
    *identifiers = NULL;
    luaL_setmetatable(L, IDENTIFIERS);
    coalesce_result result = coalesce_identifiers_from_der(optional_bytes(L, 1), identifiers);
    return result == COALESCE_OK ? 1 : failed(L, coalesce_result_text(result));
}

static int identifiers_free(lua_State *L) {
    coalesce_identifiers **identifiers = luaL_checkudata(L, 1, IDENTIFIERS);
    coalesce_identifiers_free(*identifiers);
    *identifiers = NULL;
    return 0;
}

/* The names by which HAProxy finds an entry that has no names in the crt-list, without the common
 * name, which makes no server authoritative (RFC 9525 §2). */
static int certificate_names(lua_State *L) {
    BIO *file = BIO_new_file(luaL_checkstring(L, 1), "r");
    X509 *certificate = file ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
    BIO_free(file);
    ERR_clear_error();
    if (!certificate)
        return failed(L, "expected a file with a certificate in PEM");
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    X509_free(certificate);
    lua_newtable(L);
    for (int i = 0, count = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        lua_pushlstring(L, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                        (size_t)ASN1_STRING_length(name->d.dNSName));
        lua_rawseti(L, -2, ++count);
    }
    GENERAL_NAMES_free(names);
    return 1;
}

static void new_class(lua_State *L, const char *name, const luaL_Reg *methods) {
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

__attribute__((visibility("default"))) int luaopen_coalesce_core(lua_State *L);

int luaopen_coalesce_core(lua_State *L) {
    static const luaL_Reg set_methods[] = {
        {"client_ca", set_client_ca}, {"policy", set_policy}, {"name", set_name},
        {"build", set_build},         {"decide", set_decide}, {"__gc", set_free},
        {NULL, NULL}};
    static const luaL_Reg identifiers_methods[] = {{"__gc", identifiers_free}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", set_new},
                                         {"identifiers", identifiers_new},
                                         {"certificate_names", certificate_names},
                                         {NULL, NULL}};
    if (coalesce_abi_version() != COALESCE_ABI_VERSION)
        return luaL_error(L, "libcoalesce has ABI version %d, expected %d",
                          (int)coalesce_abi_version(), COALESCE_ABI_VERSION);
    new_class(L, SET, set_methods);
    new_class(L, IDENTIFIERS, identifiers_methods);
    luaL_newlib(L, functions);
    return 1;
}
