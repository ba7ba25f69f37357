/* Decides three requests with the files that `coalesce compile` made, which it keeps in static memory. */
#include <coalesce.h>
#include <stdio.h>
#include <string.h>

static uint8_t table_bytes[4096], set_bytes[4096];

static coalesce_bytes text(const char *name) {
    return (coalesce_bytes){ (const uint8_t *)name, strlen(name) };
}

static coalesce_bytes file(const char *name, uint8_t *place, size_t len) {
    FILE *opened = fopen(name, "rb");
    coalesce_bytes content = { place, opened ? fread(place, 1, len, opened) : 0 };
    if (opened) fclose(opened);
    return content;
}

int main(void) {
    coalesce_table *table;
    coalesce_identifiers *presented;
    coalesce_bytes compiled = file("hosts.table", table_bytes, sizeof table_bytes);
    coalesce_bytes set = file("shop.ids", set_bytes, sizeof set_bytes);
    if (coalesce_table_from_static(compiled, &table) != COALESCE_OK) return 1;
    if (coalesce_identifiers_from_static(set, &presented) != COALESCE_OK) return 2;
    /* The kinds of files cannot be exchanged. */
    coalesce_identifiers *other = presented;
    if (coalesce_identifiers_from_static(compiled, &other) != COALESCE_INVALID_TABLE || other) return 3;
    const coalesce_handshake_policy policy = {
        .size = sizeof policy, .client_certificates = COALESCE_CLIENTS_NOT_ASKED };
    const coalesce_handshake_facts met = {
        .size = sizeof met, .client_certificate = COALESCE_CLIENT_NOT_ASKED };
    const uint16_t port = 443;
    const coalesce_connection connection = {
        .size = sizeof connection, .scheme = COALESCE_SCHEME_HTTPS, .group = 1, .policy = &policy,
        .met = &met, .presented = presented, .server_name = text("shop.test"), .ports = &port,
        .ports_len = 1 };
    const char *const hosts[] = { "shop.test", "a.img.test", "cdn.test" };
    for (int number = 0; number < 3; number++) {
        const coalesce_request request = {
            .size = sizeof request, .authority = text(hosts[number]), .scheme = text("https") };
        coalesce_verdict verdict = { .size = sizeof verdict };
        if (coalesce_decide(table, &connection, &request, &verdict) != COALESCE_OK) return 4;
        printf("%s %u %u %s\n", hosts[number], verdict.status, verdict.virtual_host,
               verdict.reason ? coalesce_reason_code(verdict.reason) : "-");
    }
    coalesce_identifiers_free(presented);
    coalesce_table_free(table);
}
