/* Calls the hooks of the filter as Envoy does. `run.sh` adds the filter and the sanitizers. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coalesce.h>

#include "../envoy_abi.h"

const char *envoy_dynamic_module_on_program_init(void);
const void *envoy_dynamic_module_on_http_filter_config_new(void *envoy, envoy_buffer name,
                                                           envoy_buffer text);
void envoy_dynamic_module_on_http_filter_config_destroy(const void *chain);
int envoy_dynamic_module_on_http_filter_request_headers(void *stream, const void *chain, bool end);

/* A request as the callbacks show it, and what the filter did with it. */
struct stream {
    const char *server_name, *tls, *protocol, *authority, *scheme, *method, *upgrade, *type;
    bool client;
    uint16_t port;
    uint32_t status;
    char details[64];
    char grpc_status[8];
    char observed[64];
};

static int failures;
static char logged[2048];

static void check(bool holds, const char *what, const char *found)
{
    if (!holds) {
        printf("FAILED: %s: found %s\n", what, found);
        failures++;
    }
}

/* ---- Envoy's side ---- */

static bool give(const char *text, envoy_buffer *value)
{
    *value = (envoy_buffer){text, text != NULL ? strlen(text) : 0};
    return text != NULL;
}

static void copy(char *to, size_t size, envoy_buffer from)
{
    snprintf(to, size, "%.*s", (int)from.len, from.data);
}

void envoy_dynamic_module_callback_log(int level, envoy_buffer message)
{
    (void)level;
    copy(logged, sizeof logged, message);
}

bool envoy_dynamic_module_callback_http_filter_get_attribute_string(void *stream, int attribute,
                                                                    envoy_buffer *value)
{
    const struct stream *request = stream;
    return give(attribute == ENVOY_REQUESTED_SERVER_NAME ? request->server_name
                : attribute == ENVOY_TLS_VERSION         ? request->tls
                                                         : request->protocol,
                value);
}

bool envoy_dynamic_module_callback_http_filter_get_attribute_int(void *stream, int attribute,
                                                                 uint64_t *value)
{
    (void)attribute;
    *value = ((const struct stream *)stream)->port;
    return true;
}

bool envoy_dynamic_module_callback_http_filter_get_attribute_bool(void *stream, int attribute,
                                                                  bool *value)
{
    (void)attribute;
    *value = ((const struct stream *)stream)->client;
    return true;
}

bool envoy_dynamic_module_callback_http_get_header(void *stream, int map, envoy_buffer name,
                                                   envoy_buffer *value, size_t index,
                                                   size_t *count)
{
    (void)map, (void)index, (void)count;
    const struct stream *request = stream;
    char text[32];
    copy(text, sizeof text, name);
    return give(strcmp(text, ":authority") == 0     ? request->authority
                : strcmp(text, ":scheme") == 0      ? request->scheme
                : strcmp(text, ":method") == 0      ? request->method
                : strcmp(text, "upgrade") == 0      ? request->upgrade
                : strcmp(text, "content-type") == 0 ? request->type
                                                    : NULL,
                value);
}

void envoy_dynamic_module_callback_http_set_dynamic_metadata_string(void *stream,
                                                                    envoy_buffer space,
                                                                    envoy_buffer key,
                                                                    envoy_buffer value)
{
    (void)space, (void)key;
    copy(((struct stream *)stream)->observed, sizeof(char[64]), value);
}

void envoy_dynamic_module_callback_http_send_response(void *stream, uint32_t status,
                                                      envoy_header *headers, size_t headers_len,
                                                      envoy_buffer body, envoy_buffer details)
{
    (void)body;
    struct stream *request = stream;
    request->status = status;
    copy(request->details, sizeof request->details, details);
    if (headers_len != 0) {
        copy(request->grpc_status, sizeof request->grpc_status, headers[0].value);
    }
}

/* ---- helpers ---- */

static const void *configure(const char *text)
{
    /* On the heap and without a NUL, so that a read past the end is seen. */
    size_t len = strlen(text);
    char *exact = malloc(len != 0 ? len : 1);
    memcpy(exact, text, len);
    logged[0] = '\0';
    const void *chain = envoy_dynamic_module_on_http_filter_config_new(
        NULL, (envoy_buffer){"coalesce", 8}, (envoy_buffer){exact, len});
    free(exact);
    return chain;
}

static void refuses(const char *text, const char *message)
{
    const void *chain = configure(text);
    check(chain == NULL && strstr(logged, message) != NULL, message, chain ? "a chain" : logged);
    envoy_dynamic_module_on_http_filter_config_destroy(chain);
}

/* Checks the answer to a request: 0 and the observed reason, or a status and its details. */
static void answers(const void *chain, struct stream request, uint32_t status, const char *reason)
{
    int result = envoy_dynamic_module_on_http_filter_request_headers(&request, chain, true);
    const char *found = status == 0 ? request.observed : request.details;
    char line[256];
    snprintf(line, sizeof line, "%s: %u %s", request.authority, request.status, found);
    check(result == (status != 0) && request.status == status && strcmp(found, reason) == 0,
          reason, line);
}

#define REQUEST(...)                                                                               \
    (struct stream)                                                                                \
    {                                                                                              \
        .server_name = "a.test", .tls = "TLSv1.3", .protocol = "HTTP/2", .scheme = "https",        \
        .method = "GET", .port = 443, __VA_ARGS__                                                  \
    }

/* ---- tests ---- */

#define GROUPS                                                                                     \
    "\"groups\": {\"open\": {}, \"partners\": {\"client_certificates\": \"required\", " \
    "\"client_ca\": \"/dev/null\", \"minimum_version\": \"1.3\"}}, "
#define HOSTS                                                                                      \
    "\"hosts\": {\"a.test\": \"open\", \"*.w.test\": \"open\", \"m.test\": \"partners\", " \
    "\"other.test\": \"open\"}, "
#define NAMES "\"identifiers\": [\"a.test\", \"*.w.test\", \"m.test\"]"
#define OPEN "{" GROUPS HOSTS NAMES ", \"group\": \"open\"}"

static void bad_configurations_name_the_field(void)
{
    refuses("", "byte 0: found the end, expected JSON");
    refuses("{", "byte 1: found the end, expected JSON");
    refuses("{} x", "byte 3: found unexpected character");
    refuses("null", "byte 4");
    refuses("[]", "expected an object");
    refuses("{\"tables\": \"x\"}",
            "field \"tables\": found \"x\", expected only the fields: table hosts");
    refuses("{}", "field \"groups\": found nothing, expected an object with at least one group");
    refuses("{\"groups\": {\"a\": {\"client_certificates\": \"yes\"}}}",
            "field \"groups.a.client_certificates\": found \"yes\", expected one of: not-asked");
    refuses("{\"groups\": {\"a\": {\"client_certificates\": \"required\"}}}",
            "field \"groups.a.client_ca\": found nothing, expected the path of a readable file");
    refuses("{\"groups\": {\"a\": {\"client_certificates\": \"optional\", "
            "\"client_ca\": \"/no\"}}}",
            "field \"groups.a.client_ca\": found \"\\/no\", expected the path of a readable file");
    refuses("{\"groups\": {\"a\": {}}}", "field \"hosts\": found nothing, expected an object");
    refuses("{" GROUPS "\"hosts\": {\"a.test\": \"c\"}}",
            "field \"hosts.a.test\": found \"c\", expected the name of a group");
    refuses("{" GROUPS "\"hosts\": {\"a..test\": \"open\"}}", "field \"hosts.a..test\"");
    refuses("{" GROUPS HOSTS NAMES "}", "field \"group\": found nothing");
    refuses("{" GROUPS HOSTS "\"group\": \"open\"}", "field \"certificate\": found nothing");
    refuses("{" GROUPS HOSTS "\"group\": \"open\", \"certificate\": \"/dev/null\"}",
            "field \"certificate\"");
    refuses("{" GROUPS HOSTS "\"group\": \"open\", \"identifiers\": [1]}", "field \"identifiers\"");
    refuses("{" GROUPS HOSTS NAMES ", \"group\": \"open\", \"ports\": [0]}",
            "field \"ports\": found [ 0 ], expected a list of 1 to 16 ports");
    refuses("{\"table\": \"/dev/null\", \"group\": 1, \"handshake\": {}}", "field \"table\"");
    refuses("{\"table\": \"/dev/null\", \"group\": \"a\"}", "field \"group\"");
    refuses("{\"table\": \"/dev/null\", \"group\": 1}",
            "field \"handshake\": found nothing, expected an object");
    refuses("{\"groups\": {\"a\": 1}}", "field \"groups.a\": found 1, expected an object");
    refuses("{\"table\": \"/dev/null\", " HOSTS "\"group\": 1}", "field \"hosts\"");
}

static void requests_are_decided_by_the_connection(void)
{
    const void *chain = configure(OPEN);
    check(chain != NULL, "a configuration", logged);
    answers(chain, REQUEST(.authority = "a.test"), 0, "");
    answers(chain, REQUEST(.authority = "A.Test:443"), 0, "");
    answers(chain, REQUEST(.authority = "x.w.test"), 0, "");
    answers(chain, REQUEST(.authority = "x.y.w.test"), 421, "coalesce_unknown_authority");
    answers(chain, REQUEST(.authority = "other.test"), 421, "coalesce_certificate");
    answers(chain, REQUEST(.authority = "m.test"), 421, "coalesce_group");
    answers(chain, REQUEST(.authority = "a.test:8443"), 421, "coalesce_port");
    answers(chain, REQUEST(.authority = "a.test", .scheme = "http"), 421, "coalesce_scheme");
    answers(chain, REQUEST(.authority = "a.test", .upgrade = "websocket"), 405,
            "coalesce_extended_connect_refused");
    answers(chain, REQUEST(.authority = "a.test", .upgrade = "h2c", .protocol = "HTTP/1.1"), 0, "");
    /* No handshake. */
    answers(chain, REQUEST(.authority = "a.test", .tls = NULL), 421, "coalesce_group");
    envoy_dynamic_module_on_http_filter_config_destroy(chain);
}

static void handshake_that_did_not_meet_the_policy_serves_nothing(void)
{
    const void *chain = configure("{" GROUPS HOSTS NAMES ", \"group\": \"partners\"}");
    answers(chain, REQUEST(.authority = "m.test", .client = true), 0, "");
    answers(chain, REQUEST(.authority = "m.test"), 421, "coalesce_group");
    answers(chain, REQUEST(.authority = "m.test", .client = true, .tls = "TLSv1.2"), 421,
            "coalesce_group");
    answers(chain, REQUEST(.authority = "a.test", .client = true), 421, "coalesce_group");
    envoy_dynamic_module_on_http_filter_config_destroy(chain);
}

static void refused_grpc_call_has_a_status_that_is_not_success(void)
{
    const void *chain = configure(OPEN);
    struct stream call = REQUEST(.authority = "m.test", .type = "application/grpc+proto");
    struct stream bad = REQUEST(.authority = "a b", .type = "application/grpc");
    struct stream web = REQUEST(.authority = "m.test", .type = "application/grpc-web");
    envoy_dynamic_module_on_http_filter_request_headers(&call, chain, false);
    envoy_dynamic_module_on_http_filter_request_headers(&bad, chain, false);
    envoy_dynamic_module_on_http_filter_request_headers(&web, chain, false);
    check(strcmp(call.grpc_status, "14") == 0, "gRPC, misdirected: 14", call.grpc_status);
    check(strcmp(bad.grpc_status, "13") == 0, "gRPC, malformed: 13", bad.grpc_status);
    check(strcmp(web.grpc_status, "") == 0, "gRPC-Web: none", web.grpc_status);
    envoy_dynamic_module_on_http_filter_config_destroy(chain);
}

static void compiled_table_decides_as_its_names_do(const char *path)
{
    coalesce_table_builder *builder = NULL;
    coalesce_table *table = NULL;
    coalesce_group_policy policy = {.size = sizeof policy, .client_certificates = 1};
    coalesce_bytes name = {(const uint8_t *)"a.test", 6};
    check(coalesce_table_builder_new(&builder) == COALESCE_OK &&
              coalesce_table_builder_group(builder, 7, &policy) == COALESCE_OK &&
              coalesce_table_builder_entry(builder, name, 1, 7) == COALESCE_OK &&
              coalesce_table_builder_build(builder, &table) == COALESCE_OK,
          "a table", "none");
    FILE *file = fopen(path, "wb");
    coalesce_bytes bytes = coalesce_table_bytes(table);
    check(file != NULL && fwrite(bytes.data, 1, bytes.len, file) == bytes.len, "a file", path);
    fclose(file);
    coalesce_table_free(table);
    coalesce_table_builder_free(builder);

    char text[512];
    snprintf(text, sizeof text,
             "{\"table\": \"%s\", \"group\": 7, \"handshake\": {}, " NAMES "}", path);
    const void *chain = configure(text);
    const void *same = configure(text);
    remove(path);
    check(chain != NULL && same != NULL, "two chains", logged);
    envoy_dynamic_module_on_http_filter_config_destroy(same);
    answers(chain, REQUEST(.authority = "a.test"), 0, "");
    answers(chain, REQUEST(.authority = "m.test"), 421, "coalesce_unknown_authority");
    envoy_dynamic_module_on_http_filter_config_destroy(chain);
}

static void observed_requests_are_served_with_the_reason(void)
{
    const void *chain = configure("{" GROUPS HOSTS NAMES
                                  ", \"group\": \"open\", \"mode\": \"observe\"}");
    answers(chain, REQUEST(.authority = "other.test"), 0, "certificate");
    answers(chain, REQUEST(.authority = "m.test"), 421, "coalesce_group");
    envoy_dynamic_module_on_http_filter_config_destroy(chain);
}

/* A reload: the old chain goes on serving while new ones come and go on another thread. */
static void *reload(void *unused)
{
    (void)unused;
    for (int i = 0; i < 200; i++) {
        envoy_dynamic_module_on_http_filter_config_destroy(configure(OPEN));
    }
    return NULL;
}

static void chains_come_and_go_beside_requests(void)
{
    pthread_t thread;
    const void *chain = configure(OPEN);
    pthread_create(&thread, NULL, reload, NULL);
    for (int i = 0; i < 2000; i++) {
        answers(chain, REQUEST(.authority = "a.test"), 0, "");
        answers(chain, REQUEST(.authority = "other.test"), 421, "coalesce_certificate");
    }
    pthread_join(thread, NULL);
    envoy_dynamic_module_on_http_filter_config_destroy(chain);
}

/* hooks_test TABLE CERTIFICATE...: the table is written, the certificates are read. */
int main(int argc, char **argv)
{
    if (argc < 3) {
        return 2;
    }
    check(envoy_dynamic_module_on_program_init() != NULL, "the version", "another");
    bad_configurations_name_the_field();
    requests_are_decided_by_the_connection();
    handshake_that_did_not_meet_the_policy_serves_nothing();
    refused_grpc_call_has_a_status_that_is_not_success();
    observed_requests_are_served_with_the_reason();
    compiled_table_decides_as_its_names_do(argv[1]);
    chains_come_and_go_beside_requests();
    /* Files with one certificate, in PEM and in DER: it has a.test and *.w.test. */
    for (int i = 2; i < argc; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "{" GROUPS HOSTS "\"group\": \"open\", \"certificate\": \"%s\"}", argv[i]);
        const void *chain = configure(text);
        check(chain != NULL, argv[i], logged);
        answers(chain, REQUEST(.authority = "x.w.test"), 0, "");
        answers(chain, REQUEST(.authority = "other.test"), 421, "coalesce_certificate");
        envoy_dynamic_module_on_http_filter_config_destroy(chain);
    }
    printf("hooks: %d failed\n", failures);
    return failures != 0;
}
