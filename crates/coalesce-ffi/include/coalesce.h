/*
 * The C interface of Coalesce: which requests an HTTP server serves on a connection, and which get a
 * 421 (RFC 9110 section 15.5.20). cbindgen makes this file from the crate coalesce-ffi.
 */

#ifndef COALESCE_H
#define COALESCE_H

#include <stddef.h>
#include <stdint.h>

/**
 * The version of the interface that this header describes. `coalesce_abi_version` returns that of
 * the library. A change that an old caller would notice makes a new version.
 */
#define COALESCE_ABI_VERSION 1

/**
 * Success.
 */
#define COALESCE_OK 0

/**
 * A pointer that must not be `NULL`, or `NULL` data with a length.
 */
#define COALESCE_NULL_ARGUMENT 1

/**
 * The `size` of a struct is smaller than its first version or larger than
 * `COALESCE_STRUCT_SIZE_MAX`, or a field that this library does not know is not 0.
 */
#define COALESCE_STRUCT_SIZE 2

/**
 * An enumeration, number or length outside of its range, or a misaligned pointer.
 */
#define COALESCE_INVALID_VALUE 3

/**
 * Text that is not a name pattern, a host or an identifier.
 */
#define COALESCE_INVALID_NAME 4

/**
 * Bytes that are not one certificate in DER with subject alternative names.
 */
#define COALESCE_INVALID_CERTIFICATE 5

/**
 * Bytes that are not a compiled table or a compiled identifier set of this version.
 */
#define COALESCE_INVALID_TABLE 6

/**
 * Two entries with one name.
 */
#define COALESCE_DUPLICATE_NAME 7

/**
 * A group that was not added before.
 */
#define COALESCE_UNKNOWN_GROUP 8

/**
 * A group that was added before with other policies, or whose number
 * `coalesce_table_builder_group_for` has given away.
 */
#define COALESCE_GROUP_CONFLICT 9

/**
 * More names, groups or bytes than the library takes.
 */
#define COALESCE_TOO_LARGE 10

/**
 * Names with colliding hashes under every seed. Only names that were chosen to collide do that.
 */
#define COALESCE_INSEPARABLE_NAMES 11

/**
 * The largest `size` of a struct. It is many times the largest struct of this version, and small
 * enough that a `size` that was never set is nearly always larger.
 */
#define COALESCE_STRUCT_SIZE_MAX 1024

/**
 * The largest number of ports of one listener. The decision compares them one after the other.
 */
#define COALESCE_PORTS_MAX 1024

/**
 * The bytes that `coalesce_table_init` needs. Larger than a table is today, so that it can grow.
 */
#define COALESCE_TABLE_STORAGE 512

/**
 * The bytes that `coalesce_identifiers_init` needs.
 */
#define COALESCE_IDENTIFIERS_STORAGE 512

/**
 * The alignment of the memory for both: that of `uint64_t`.
 */
#define COALESCE_STORAGE_ALIGNMENT 8

/**
 * A connection in no group. Every host is refused on it, and no table has this group.
 */
#define COALESCE_GROUP_NONE UINT32_MAX

/**
 * `coalesce_group_policy.coalesce`: every authority that the certificate covers and whose virtual
 * host is in the group of the connection (RFC 9113 section 9.1.1).
 */
#define COALESCE_BY_CERTIFICATE_AND_GROUP 0

/**
 * `coalesce_group_policy.coalesce`: as before, and the host must equal the server name. A TLS
 * connection without a server name serves only addresses.
 */
#define COALESCE_STRICT_SERVER_NAME 1

/**
 * `coalesce_group_policy.coalesce`: one connection, one host. A connection without a server name
 * serves not even addresses.
 */
#define COALESCE_NEVER 2

/**
 * `coalesce_group_policy.unknown_authority`: an authority without an entry gets a 421.
 */
#define COALESCE_UNKNOWN_MISDIRECTED 0

/**
 * `coalesce_group_policy.unknown_authority`: the application gets it as `COALESCE_AS_UNLISTED`, to
 * answer with a 404.
 */
#define COALESCE_UNKNOWN_TO_APPLICATION 1

/**
 * `coalesce_group_policy.connect`: every `CONNECT` gets a 405.
 */
#define COALESCE_CONNECT_REFUSE 0

/**
 * `coalesce_group_policy.connect`: extended `CONNECT` (RFC 8441) is decided like any other
 * request.
 */
#define COALESCE_CONNECT_EXTENDED 1

/**
 * `coalesce_group_policy.connect`: plain `CONNECT` too, as `COALESCE_AS_TUNNEL`, for a proxy.
 */
#define COALESCE_CONNECT_ANY 2

/**
 * `coalesce_group_policy.enforcement`: a misdirected request is refused.
 */
#define COALESCE_ENFORCE 0

/**
 * `coalesce_group_policy.enforcement`: a misdirected request is served where that is safe, and
 * `coalesce_verdict.observed` has the reason.
 */
#define COALESCE_OBSERVE 1

/**
 * The handshake asks no client for a certificate.
 */
#define COALESCE_CLIENTS_NOT_ASKED 1

/**
 * The handshake asks for a client certificate, and accepts a client without one.
 */
#define COALESCE_CLIENTS_OPTIONAL 2

/**
 * The handshake refuses a client without a certificate.
 */
#define COALESCE_CLIENTS_REQUIRED 3

/**
 * `coalesce_handshake_facts.client_certificate`: not known. Meets `COALESCE_CLIENTS_NOT_ASKED`
 * alone.
 */
#define COALESCE_CLIENT_UNKNOWN 0

/**
 * `coalesce_handshake_facts.client_certificate`: the handshake asked for none.
 */
#define COALESCE_CLIENT_NOT_ASKED 1

/**
 * `coalesce_handshake_facts.client_certificate`: the handshake asked, and the client gave none.
 */
#define COALESCE_CLIENT_ASKED_NONE_GIVEN 2

/**
 * `coalesce_handshake_facts.client_certificate`: the certificate of the client was verified.
 */
#define COALESCE_CLIENT_VERIFIED 3

/**
 * `coalesce_connection.scheme`: in the clear.
 */
#define COALESCE_SCHEME_HTTP 1

/**
 * `coalesce_connection.scheme`: over TLS.
 */
#define COALESCE_SCHEME_HTTPS 2

/**
 * `coalesce_connection.trust`: the connection proves its hosts by its own certificate.
 */
#define COALESCE_OWN_CERTIFICATE 0

/**
 * `coalesce_connection.trust`: a gateway that checks the certificate itself, so the certificate
 * step is skipped (RFC 9110 section 7.4). Anyone who can open such a connection can name any host
 * of its group.
 */
#define COALESCE_TRUSTED_GATEWAY 1

/**
 * `coalesce_request.method`: any method except `CONNECT`.
 */
#define COALESCE_METHOD_ORDINARY 0

/**
 * `coalesce_request.method`: `CONNECT` for a tunnel (RFC 9113 section 8.5).
 */
#define COALESCE_METHOD_CONNECT 1

/**
 * `coalesce_request.method`: `CONNECT` with `:protocol` (RFC 8441 section 4).
 */
#define COALESCE_METHOD_EXTENDED_CONNECT 2

/**
 * `coalesce_verdict.outcome`: the server serves the request.
 */
#define COALESCE_SERVE 1

/**
 * `coalesce_verdict.outcome`: the request gets a 421, and the connection stays open.
 */
#define COALESCE_MISDIRECTED 2

/**
 * `coalesce_verdict.outcome`: the request gets the status of the verdict.
 */
#define COALESCE_MALFORMED 3

/**
 * `coalesce_verdict.served_as`: as the virtual host of the verdict.
 */
#define COALESCE_AS_VIRTUAL_HOST 1

/**
 * `coalesce_verdict.served_as`: an authority without an entry. The connection proves nothing about
 * it, so answer 404.
 */
#define COALESCE_AS_UNLISTED 2

/**
 * `coalesce_verdict.served_as`: a tunnel for a proxy to open.
 */
#define COALESCE_AS_TUNNEL 3

/**
 * The scheme of the request is not that of the connection.
 */
#define COALESCE_REASON_SCHEME 1

/**
 * No virtual host has this name.
 */
#define COALESCE_REASON_UNKNOWN_AUTHORITY 2

/**
 * The listener does not answer for this port.
 */
#define COALESCE_REASON_PORT 3

/**
 * The presented certificate does not cover the host.
 */
#define COALESCE_REASON_CERTIFICATE 4

/**
 * Another listener of this port is responsible for the host.
 */
#define COALESCE_REASON_LISTENER 5

/**
 * The virtual host is in another group, or the handshake did not meet its policy.
 */
#define COALESCE_REASON_GROUP 6

/**
 * The group serves only the host of the server name.
 */
#define COALESCE_REASON_SERVER_NAME 7

/**
 * Neither `:authority` nor `Host`.
 */
#define COALESCE_REASON_NO_AUTHORITY 65

/**
 * More than one `Host`.
 */
#define COALESCE_REASON_SEVERAL_HOSTS 66

/**
 * `:authority` has bytes that no field value may have.
 */
#define COALESCE_REASON_AUTHORITY_FIELD_VALUE 67

/**
 * `:authority` has a part for user information.
 */
#define COALESCE_REASON_AUTHORITY_USERINFO 68

/**
 * `:authority` has an empty host.
 */
#define COALESCE_REASON_AUTHORITY_EMPTY_HOST 69

/**
 * `:authority` has an invalid port.
 */
#define COALESCE_REASON_AUTHORITY_PORT 70

/**
 * `:authority` has an invalid host.
 */
#define COALESCE_REASON_AUTHORITY_HOST 71

/**
 * There is no `:authority`, and `Host` is not an authority.
 */
#define COALESCE_REASON_HOST_INVALID 72

/**
 * There is an `:authority`, and `Host` is not an authority.
 */
#define COALESCE_REASON_HOST_BESIDE_INVALID 73

/**
 * `Host` names another authority than `:authority`.
 */
#define COALESCE_REASON_HOST_DIFFERS 74

/**
 * `CONNECT`, which the policy of the group does not allow.
 */
#define COALESCE_REASON_CONNECT_REFUSED 75

/**
 * Extended `CONNECT`, which the policy of the group does not allow.
 */
#define COALESCE_REASON_EXTENDED_CONNECT_REFUSED 76

/**
 * `CONNECT` without a port.
 */
#define COALESCE_REASON_CONNECT_PORT 77

/**
 * A reason that is newer than this interface.
 */
#define COALESCE_REASON_OTHER 254

/**
 * Nothing was decided, because the arguments of the call have a fault.
 */
#define COALESCE_REASON_NOT_DECIDED 255

/**
 * The identifiers that a certificate presents. A set never changes, so any number of threads can
 * use it at the same time.
 */
typedef struct coalesce_identifiers coalesce_identifiers;

/**
 * An authority table: it finds the virtual host and the group of a host. It never changes, so any
 * number of threads can use it at the same time.
 */
typedef struct coalesce_table coalesce_table;

/**
 * Collects groups and entries for a table. Only one thread may use a builder at a time.
 */
typedef struct coalesce_table_builder coalesce_table_builder;

/**
 * The result of a function that can fail: one of the `COALESCE_` codes below.
 * `coalesce_result_text` returns its meaning.
 */
typedef uint32_t coalesce_result;

/**
 * The policies of a group. A struct of zeros, except for `size`, has the default policies.
 */
typedef struct coalesce_group_policy {
    /**
     * The size of this struct.
     */
    size_t size;
    /**
     * `COALESCE_BY_CERTIFICATE_AND_GROUP`, `COALESCE_STRICT_SERVER_NAME` or `COALESCE_NEVER`.
     */
    uint32_t coalesce;
    /**
     * `COALESCE_UNKNOWN_MISDIRECTED` or `COALESCE_UNKNOWN_TO_APPLICATION`.
     */
    uint32_t unknown_authority;
    /**
     * `COALESCE_CONNECT_REFUSE`, `COALESCE_CONNECT_EXTENDED` or `COALESCE_CONNECT_ANY`.
     */
    uint32_t connect;
    /**
     * `COALESCE_ENFORCE` or `COALESCE_OBSERVE`.
     */
    uint32_t enforcement;
    /**
     * `COALESCE_CLIENTS_NOT_ASKED`, `COALESCE_CLIENTS_OPTIONAL` or `COALESCE_CLIENTS_REQUIRED`:
     * what the handshakes of this group do. 0 is unknown and counts as asked, which serves less
     * while the group is observed.
     */
    uint32_t client_certificates;
} coalesce_group_policy;

/**
 * What the TLS policy of a server block demands of a handshake. Equal demands are one group.
 */
typedef struct coalesce_handshake_policy {
    /**
     * The size of this struct.
     */
    size_t size;
    /**
     * `COALESCE_CLIENTS_NOT_ASKED`, `COALESCE_CLIENTS_OPTIONAL` or `COALESCE_CLIENTS_REQUIRED`.
     */
    uint32_t client_certificates;
    /**
     * The lowest TLS version, from 0x0301 to 0x0304, or 0 for any.
     */
    uint32_t tls_version_min;
    /**
     * Your number of the set of client CAs, for example a hash of the file. 0 is no set.
     */
    uint64_t client_ca;
    /**
     * Your number of everything else that must be equal: cipher suites, ALPN, listener.
     */
    uint64_t other;
} coalesce_handshake_policy;

/**
 * Borrowed bytes. If `data` is `NULL`, the value is absent and `len` must be 0. Otherwise the
 * value is present, and it may be empty.
 */
typedef struct coalesce_bytes {
    /**
     * The first byte, or `NULL`.
     */
    const uint8_t *data;
    /**
     * The number of bytes.
     */
    size_t len;
} coalesce_bytes;

/**
 * What the handshake of a connection met.
 */
typedef struct coalesce_handshake_facts {
    /**
     * The size of this struct.
     */
    size_t size;
    /**
     * `COALESCE_CLIENT_UNKNOWN`, `COALESCE_CLIENT_NOT_ASKED`, `COALESCE_CLIENT_ASKED_NONE_GIVEN`
     * or `COALESCE_CLIENT_VERIFIED`.
     */
    uint32_t client_certificate;
    /**
     * The negotiated TLS version, from 0x0301 to 0x0304. 0 is unknown and meets no minimum.
     */
    uint32_t tls_version;
    /**
     * Your number of the set of CAs that the client certificate was verified with. 0 is unknown
     * and meets no demand.
     */
    uint64_t client_ca;
    /**
     * Your number of everything else, which must equal that of the policy.
     */
    uint64_t other;
} coalesce_handshake_facts;

/**
 * The facts of a connection.
 */
typedef struct coalesce_connection {
    /**
     * The size of this struct.
     */
    size_t size;
    /**
     * `COALESCE_SCHEME_HTTP` or `COALESCE_SCHEME_HTTPS`.
     */
    uint32_t scheme;
    /**
     * `COALESCE_OWN_CERTIFICATE` or `COALESCE_TRUSTED_GATEWAY`.
     */
    uint32_t trust;
    /**
     * The group of the server block that the handshake chose, or `COALESCE_GROUP_NONE`.
     */
    uint32_t group;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * The policy of that server block. `NULL` only for `http` and for trusted gateways.
     */
    const struct coalesce_handshake_policy *policy;
    /**
     * What the handshake met. If it does not meet `policy`, the connection is in no group. `NULL`
     * only if `policy` is `NULL`.
     */
    const struct coalesce_handshake_facts *met;
    /**
     * The identifiers of the certificate that this connection presented. `NULL` covers no host;
     * `http` and trusted gateways need none.
     */
    const struct coalesce_identifiers *presented;
    /**
     * The server name of the ClientHello, absent if it had none. Bytes that are not a name count
     * as absent.
     */
    struct coalesce_bytes server_name;
    /**
     * The ports that the listener answers for: the public ones, if a port map is in front.
     */
    const uint16_t *ports;
    /**
     * The number of `ports`, from 1 to `COALESCE_PORTS_MAX`.
     */
    size_t ports_len;
} coalesce_connection;

/**
 * The target of a request.
 */
typedef struct coalesce_request {
    /**
     * The size of this struct.
     */
    size_t size;
    /**
     * `:authority`, or the authority of an absolute-form target of HTTP/1.1. Absent if the request
     * has none.
     */
    struct coalesce_bytes authority;
    /**
     * The `Host` field. Absent if the request has none.
     */
    struct coalesce_bytes host;
    /**
     * `:scheme`. Absent if the request has none, as in HTTP/1.1.
     */
    struct coalesce_bytes scheme;
    /**
     * The number of `Host` fields. More than 1 is malformed. With 0 or 1, `host` counts.
     */
    uint32_t host_count;
    /**
     * `COALESCE_METHOD_ORDINARY`, `COALESCE_METHOD_CONNECT` or `COALESCE_METHOD_EXTENDED_CONNECT`.
     */
    uint32_t method;
} coalesce_request;

/**
 * The result of a decision.
 */
typedef struct coalesce_verdict {
    /**
     * The size of this struct. Set it before the call.
     */
    size_t size;
    /**
     * `COALESCE_SERVE`, `COALESCE_MISDIRECTED` or `COALESCE_MALFORMED`. Never 0.
     */
    uint32_t outcome;
    /**
     * The status of the answer: 421, 400, 405 or 500. 0 if the request is served.
     */
    uint32_t status;
    /**
     * The reason, one of the `COALESCE_REASON_` numbers. 0 if the request is served.
     */
    uint32_t reason;
    /**
     * The step that settled it, from 1 to 8. 0 if nothing was decided.
     */
    uint32_t step;
    /**
     * `COALESCE_AS_VIRTUAL_HOST`, `COALESCE_AS_UNLISTED` or `COALESCE_AS_TUNNEL`. 0 if the request
     * is not served.
     */
    uint32_t served_as;
    /**
     * The virtual host, if the request is served as one. Else 0.
     */
    uint32_t virtual_host;
    /**
     * The group that the connection was decided with: its own, or `COALESCE_GROUP_NONE`.
     */
    uint32_t group;
    /**
     * The reason for which the request would be refused if its group were not observed. Else 0.
     */
    uint32_t observed;
} coalesce_verdict;

/**
 * Receives one origin. The bytes are valid until the function returns. A result other than 0 ends
 * the list. The function must return: it must neither throw an exception nor jump away.
 */
typedef int (*coalesce_origin_fn)(void *context, struct coalesce_bytes origin);

/**
 * An entry of a table.
 */
typedef struct coalesce_entry {
    /**
     * The size of this struct. Set it before the call.
     */
    size_t size;
    /**
     * The number of the virtual host.
     */
    uint32_t virtual_host;
    /**
     * The number of the group.
     */
    uint32_t group;
} coalesce_entry;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes an empty builder. Free it with `coalesce_table_builder_free`.
 */
coalesce_result coalesce_table_builder_new(struct coalesce_table_builder **out);

/**
 * Frees a builder. `NULL` is allowed.
 */
void coalesce_table_builder_free(struct coalesce_table_builder *builder);

/**
 * Adds a group with a number of your choice. `policy` may be `NULL` for the default policies. You
 * can add a group twice with the same policies.
 */
coalesce_result coalesce_table_builder_group(struct coalesce_table_builder *builder,
                                             uint32_t group,
                                             const struct coalesce_group_policy *policy);

/**
 * Finds the group with these policies, or makes one with the next free number, from 1 on. Server
 * blocks with equal demands on the handshake share a group. `policy` may be `NULL`; its
 * `client_certificates` must be 0 or those of `handshake`.
 */
coalesce_result coalesce_table_builder_group_for(struct coalesce_table_builder *builder,
                                                 const struct coalesce_handshake_policy *handshake,
                                                 const struct coalesce_group_policy *policy,
                                                 uint32_t *group);

/**
 * Adds an entry. `pattern` is a name, "*.example.com" for one label, "**.example.com" for any
 * depth, "*" for every host, or an address. An entry that is there already with the same values is
 * no error.
 */
coalesce_result coalesce_table_builder_entry(struct coalesce_table_builder *builder,
                                             struct coalesce_bytes pattern,
                                             uint32_t virtual_host,
                                             uint32_t group);

/**
 * Builds a table. The builder stays as it is, so you can add more and build again. Free the table
 * with `coalesce_table_free`.
 */
coalesce_result coalesce_table_builder_build(const struct coalesce_table_builder *builder,
                                             struct coalesce_table **out);

/**
 * Reads a compiled table and copies its bytes.
 */
coalesce_result coalesce_table_from_bytes(struct coalesce_bytes compiled,
                                          struct coalesce_table **out);

/**
 * Reads a compiled table and keeps the memory of the caller, which must stay readable and
 * unchanged until the table is freed. The bytes need no alignment.
 */
coalesce_result coalesce_table_from_static(struct coalesce_bytes compiled,
                                           struct coalesce_table **out);

/**
 * Frees a table. `NULL` is allowed. No other thread may use the table any longer. A table of
 * `coalesce_table_init` stays as it is.
 */
void coalesce_table_free(struct coalesce_table *table);

/**
 * Reads the subject alternative names of a certificate in DER.
 */
coalesce_result coalesce_identifiers_from_der(struct coalesce_bytes certificate,
                                              struct coalesce_identifiers **out);

/**
 * Makes a set of `count` names: `a.test`, `*.a.test`, `192.0.2.1`, `2001:db8::1`, each with or
 * without "DNS:" or "IP:" in front.
 */
coalesce_result coalesce_identifiers_from_names(const struct coalesce_bytes *names,
                                                size_t count,
                                                struct coalesce_identifiers **out);

/**
 * Reads a compiled set and copies its bytes.
 */
coalesce_result coalesce_identifiers_from_bytes(struct coalesce_bytes compiled,
                                                struct coalesce_identifiers **out);

/**
 * Reads a compiled set and keeps the memory of the caller, which must stay readable and unchanged
 * until the set is freed.
 */
coalesce_result coalesce_identifiers_from_static(struct coalesce_bytes compiled,
                                                 struct coalesce_identifiers **out);

/**
 * Frees a set. `NULL` is allowed. No other thread may use the set any longer. A set of
 * `coalesce_identifiers_init` stays as it is.
 */
void coalesce_identifiers_free(struct coalesce_identifiers *identifiers);

/**
 * Sets `*met` to 1 if the handshake met the policy, resumed sessions included, else to 0. A policy
 * that asks no client for a certificate is met by any `client_certificate`; an optional one by a
 * client that gave none, or whose certificate this CA verified; a required one by the latter
 * alone. Never allocates.
 */
coalesce_result coalesce_handshake_met(const struct coalesce_handshake_policy *policy,
                                       const struct coalesce_handshake_facts *facts,
                                       uint32_t *met);

/**
 * Decides one request. Never allocates. After any other result than `COALESCE_OK`, a verdict of
 * the right size says `COALESCE_MALFORMED` with status 500.
 */
coalesce_result coalesce_decide(const struct coalesce_table *table,
                                const struct coalesce_connection *connection,
                                const struct coalesce_request *request,
                                struct coalesce_verdict *verdict);

/**
 * Writes an explanation of the decision to `out`, in one line of UTF-8 with a NUL at its end, for
 * logs and debug pages. Writes at most `len` bytes and sets `*written` to the length of the whole
 * text without the NUL, as `snprintf` does. `out` may be `NULL` if `len` is 0. Never allocates.
 */
coalesce_result coalesce_explain(const struct coalesce_table *table,
                                 const struct coalesce_connection *connection,
                                 const struct coalesce_request *request,
                                 char *out,
                                 size_t len,
                                 size_t *written);

/**
 * Calls `origin` with each origin that the connection may announce (RFC 8336): `https://a.test`.
 * A result of `origin` other than 0 ends the list. If there are more names than the library
 * examines for one connection, the result is `COALESCE_TOO_LARGE`, and the origins up to then are
 * right. Never allocates.
 */
coalesce_result coalesce_origins(const struct coalesce_table *table,
                                 const struct coalesce_connection *connection,
                                 coalesce_origin_fn origin,
                                 void *context);

/**
 * Reads a compiled table into `storage`: `COALESCE_TABLE_STORAGE` bytes, aligned as `uint64_t`.
 * The table keeps the memory of `compiled` too. Both must stay readable and unchanged while the
 * table is used; then use the memory for something else. Never allocates.
 */
coalesce_result coalesce_table_init(void *storage,
                                    size_t len,
                                    struct coalesce_bytes compiled,
                                    struct coalesce_table **out);

/**
 * Reads a compiled set into `storage`: `COALESCE_IDENTIFIERS_STORAGE` bytes, aligned as
 * `uint64_t`. The set keeps the memory of `compiled` too. Both must stay readable and unchanged
 * while the set is used; then use the memory for something else. Never allocates.
 */
coalesce_result coalesce_identifiers_init(void *storage,
                                          size_t len,
                                          struct coalesce_bytes compiled,
                                          struct coalesce_identifiers **out);

/**
 * Returns the bytes of a table, for `coalesce_table_from_bytes`. They belong to the table. Absent
 * for `NULL`.
 */
struct coalesce_bytes coalesce_table_bytes(const struct coalesce_table *table);

/**
 * Returns the number of entries. 0 for `NULL`.
 */
size_t coalesce_table_len(const struct coalesce_table *table);

/**
 * Finds the most specific entry of a host without a port. Sets `*found` to 1 or 0, and `*entry` if
 * it is found; `*entry` may change in any case. Never allocates.
 */
coalesce_result coalesce_table_lookup(const struct coalesce_table *table,
                                      struct coalesce_bytes host,
                                      struct coalesce_entry *entry,
                                      uint32_t *found);

/**
 * Returns the bytes of a set, for `coalesce_identifiers_from_bytes`. They belong to the set.
 * Absent for `NULL`.
 */
struct coalesce_bytes coalesce_identifiers_bytes(const struct coalesce_identifiers *identifiers);

/**
 * Returns the number of identifiers. 0 for `NULL`.
 */
size_t coalesce_identifiers_len(const struct coalesce_identifiers *identifiers);

/**
 * Sets `*covers` to 1 if an identifier covers the host (RFC 9525 section 6.3), else to 0. Never
 * allocates.
 */
coalesce_result coalesce_identifiers_cover(const struct coalesce_identifiers *identifiers,
                                           struct coalesce_bytes host,
                                           uint32_t *covers);

/**
 * Returns the version of the interface that the library has: `COALESCE_ABI_VERSION` of its header.
 */
uint32_t coalesce_abi_version(void);

/**
 * Returns the version of the library, for logs: "0.1.0". Static, never `NULL`.
 */
const char *coalesce_version(void);

/**
 * Returns the meaning of a result code, for logs. Static, never `NULL`.
 */
const char *coalesce_result_text(coalesce_result code);

/**
 * Returns the stable name of a reason, for logs and metrics: "certificate", "group". Static, never
 * `NULL`; empty for 0 and for unknown numbers.
 */
const char *coalesce_reason_code(uint32_t reason);

/**
 * Returns a sentence about a reason, for operators. Static, never `NULL`.
 */
const char *coalesce_reason_text(uint32_t reason);

/**
 * Returns the RFC sections of a reason, in UTF-8. Static, never `NULL`.
 */
const char *coalesce_reason_rule(uint32_t reason);

/**
 * Returns the step of the decision that has this reason, from 1 to 8, or 0.
 */
uint32_t coalesce_reason_step(uint32_t reason);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* COALESCE_H */
