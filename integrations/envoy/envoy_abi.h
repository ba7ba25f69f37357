/* The part of Envoy's dynamic-module ABI (v0.2, Envoy 1.40) that this filter uses.
 *
 * Envoy keeps released names, arguments and numbers, so the module is not built again for each
 * release. Names of types are ours: a C ABI has only their layout. */
#ifndef COALESCE_ENVOY_ABI_H
#define COALESCE_ENVOY_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENVOY_ABI_VERSION "v0.2.0"

/* Hooks are exported. Everything else of the module is hidden. */
#define ENVOY_HOOK __attribute__((visibility("default")))

typedef struct envoy_buffer {
    const char *data;
    size_t len;
} envoy_buffer;

typedef struct envoy_header {
    envoy_buffer name;
    envoy_buffer value;
} envoy_header;

/* FilterHeadersStatus: 0 goes on to the next filter, 1 stops after a response was sent. */
enum { ENVOY_CONTINUE = 0, ENVOY_STOP = 1 };
enum { ENVOY_REQUEST_HEADERS = 0 };
enum { ENVOY_LOG_ERROR = 4 };

/* Envoy's numbers of the attributes that this filter reads. */
enum {
    ENVOY_REQUEST_PROTOCOL = 10,
    ENVOY_DESTINATION_PORT = 27,
    ENVOY_CONNECTION_MTLS = 29,
    ENVOY_REQUESTED_SERVER_NAME = 30,
    ENVOY_TLS_VERSION = 31
};

/* Callbacks of Envoy. `stream` is Envoy's pointer of one request. */
void envoy_dynamic_module_callback_log(int level, envoy_buffer message);
bool envoy_dynamic_module_callback_http_filter_get_attribute_string(void *stream, int attribute,
                                                                    envoy_buffer *value);
bool envoy_dynamic_module_callback_http_filter_get_attribute_int(void *stream, int attribute,
                                                                 uint64_t *value);
bool envoy_dynamic_module_callback_http_filter_get_attribute_bool(void *stream, int attribute,
                                                                  bool *value);
bool envoy_dynamic_module_callback_http_get_header(void *stream, int map, envoy_buffer name,
                                                   envoy_buffer *value, size_t index,
                                                   size_t *count);
void envoy_dynamic_module_callback_http_set_dynamic_metadata_string(void *stream,
                                                                    envoy_buffer space,
                                                                    envoy_buffer key,
                                                                    envoy_buffer value);
void envoy_dynamic_module_callback_http_send_response(void *stream, uint32_t status,
                                                      envoy_header *headers, size_t headers_len,
                                                      envoy_buffer body, envoy_buffer details);

#endif
