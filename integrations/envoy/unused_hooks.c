/* Hooks without which Envoy does not load an HTTP filter. This filter has nothing to do in them, so
 * each one continues. */
#include "envoy_abi.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

#define HOOK(event) envoy_dynamic_module_on_http_filter_##event
/* The first arguments: Envoy's pointer of the request, and the filter chain. */
#define OF void *stream, const void *chain

ENVOY_HOOK int HOOK(request_body)(OF, bool end) { return ENVOY_CONTINUE; }
ENVOY_HOOK int HOOK(request_trailers)(OF) { return ENVOY_CONTINUE; }
ENVOY_HOOK int HOOK(response_headers)(OF, bool end) { return ENVOY_CONTINUE; }
ENVOY_HOOK int HOOK(response_body)(OF, bool end) { return ENVOY_CONTINUE; }
ENVOY_HOOK int HOOK(response_trailers)(OF) { return ENVOY_CONTINUE; }
ENVOY_HOOK void HOOK(stream_complete)(OF) {}
ENVOY_HOOK void HOOK(destroy)(const void *chain) {}
ENVOY_HOOK void HOOK(scheduled)(OF, uint64_t event) {}
ENVOY_HOOK void HOOK(downstream_above_write_buffer_high_watermark)(OF) {}
ENVOY_HOOK void HOOK(downstream_below_write_buffer_low_watermark)(OF) {}

/* The filter makes no request to other servers, so Envoy never calls these. */
ENVOY_HOOK void HOOK(http_callout_done)(OF, uint64_t id, int result, void *headers,
                                        size_t headers_len, envoy_buffer *body, size_t body_len) {}
ENVOY_HOOK void HOOK(http_stream_headers)(OF, uint64_t id, void *headers, size_t len, bool end) {}
ENVOY_HOOK void HOOK(http_stream_data)(OF, uint64_t id, const envoy_buffer *data, size_t len,
                                       bool end) {}
ENVOY_HOOK void HOOK(http_stream_trailers)(OF, uint64_t id, void *trailers, size_t len) {}
ENVOY_HOOK void HOOK(http_stream_complete)(OF, uint64_t id) {}
ENVOY_HOOK void HOOK(http_stream_reset)(OF, uint64_t id, int reason) {}
