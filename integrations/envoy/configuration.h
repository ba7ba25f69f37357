/* The configuration of one filter chain. */
#ifndef COALESCE_ENVOY_CONFIGURATION_H
#define COALESCE_ENVOY_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coalesce.h>

enum { CHAIN_PORTS_MAX = 16, CHAIN_ERROR_MAX = 1024 };

/* Does not change after `chain_new`, so all worker threads read it without a lock. */
struct chain {
    const coalesce_table *table;
    coalesce_identifiers *presented;
    coalesce_handshake_policy policy;
    uint32_t group;
    uint16_t ports[CHAIN_PORTS_MAX];
    size_t ports_len;  /* 0: the port that the connection arrived at */
};

/* Reads the JSON text of a filter. Returns NULL after an error, which `error` then describes. */
struct chain *chain_new(const char *text, size_t len, char error[CHAIN_ERROR_MAX]);
void chain_free(struct chain *chain);

#endif
