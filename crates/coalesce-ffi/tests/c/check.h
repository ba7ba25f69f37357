/* What the C tests share. */
#ifndef CHECK_H
#define CHECK_H
#define _DEFAULT_SOURCE
#include <coalesce.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define OK(call) CHECK((call) == COALESCE_OK)

static inline coalesce_bytes bytes(const char *text)
{
    coalesce_bytes made = {(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
    return made;
}

#define ABSENT bytes(NULL)

static const uint16_t PORTS[] = {443, 8443};

/* A table with an open group, for a.test, b.test and *.wild.test, and one for clients with a
 * certificate, for staff.test. */
struct world {
    coalesce_handshake_policy open, staff;
    coalesce_handshake_facts open_met, staff_met;
    uint32_t open_group, staff_group;
    coalesce_table *table;
    coalesce_identifiers *presented;
};

static inline struct world world(void)
{
    struct world made;
    coalesce_table_builder *builder;
    memset(&made, 0, sizeof made);
    made.open.size = made.staff.size = sizeof made.open;
    made.open_met.size = made.staff_met.size = sizeof made.open_met;
    made.open.client_certificates = COALESCE_CLIENTS_NOT_ASKED;
    made.staff.client_certificates = COALESCE_CLIENTS_REQUIRED;
    made.staff.client_ca = made.staff_met.client_ca = 7;
    made.open_met.client_certificate = COALESCE_CLIENT_NOT_ASKED;
    made.staff_met.client_certificate = COALESCE_CLIENT_VERIFIED;
    OK(coalesce_table_builder_new(&builder));
    OK(coalesce_table_builder_group_for(builder, &made.open, NULL, &made.open_group));
    OK(coalesce_table_builder_group_for(builder, &made.staff, NULL, &made.staff_group));
    CHECK(made.open_group == 1 && made.staff_group == 2);
    OK(coalesce_table_builder_entry(builder, bytes("a.test"), 10, made.open_group));
    OK(coalesce_table_builder_entry(builder, bytes("b.test"), 11, made.open_group));
    OK(coalesce_table_builder_entry(builder, bytes("*.wild.test"), 12, made.open_group));
    OK(coalesce_table_builder_entry(builder, bytes("staff.test"), 13, made.staff_group));
    OK(coalesce_table_builder_build(builder, &made.table));
    coalesce_table_builder_free(builder);
    const coalesce_bytes names[] = {bytes("a.test"), bytes("DNS:*.wild.test"),
                                    bytes("staff.test"), bytes("IP:192.0.2.1")};
    OK(coalesce_identifiers_from_names(names, 4, &made.presented));
    return made;
}

static inline void world_free(struct world *world)
{
    coalesce_table_free(world->table);
    coalesce_identifiers_free(world->presented);
}

static inline coalesce_connection open_connection(const struct world *world)
{
    coalesce_connection made;
    memset(&made, 0, sizeof made);
    made.size = sizeof made;
    made.scheme = COALESCE_SCHEME_HTTPS;
    made.group = world->open_group;
    made.policy = &world->open;
    made.met = &world->open_met;
    made.presented = world->presented;
    made.server_name = bytes("a.test");
    made.ports = PORTS;
    made.ports_len = 2;
    return made;
}

static inline coalesce_request request_for(const char *authority)
{
    coalesce_request made;
    memset(&made, 0, sizeof made);
    made.size = sizeof made;
    made.authority = bytes(authority);
    made.scheme = bytes("https");
    return made;
}

/* A place of `size` bytes that ends where a page without access begins, so that the library ends the
 * program if it touches a byte behind the place. AddressSanitizer sees only the code of C. There is
 * one such place: the next call takes it again. */
static inline uint8_t *guarded(size_t size, size_t alignment)
{
    static uint8_t *end;
    if (end == NULL) {
        const size_t page = (size_t)sysconf(_SC_PAGESIZE);
        uint8_t *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(pages != MAP_FAILED && mprotect(pages + page, page, PROT_NONE) == 0);
        end = pages + page;
    }
    return end - (size + alignment - 1) / alignment * alignment;
}

/* A guarded copy of `size` bytes, but at least of the field `size` itself. */
static inline void *sized_copy(const void *original, size_t original_size, size_t size)
{
    uint8_t *copy = guarded(size < sizeof size ? sizeof size : size, sizeof size);
    memset(copy, 0, size);
    memcpy(copy, original, original_size < size ? original_size : size);
    memcpy(copy, &size, sizeof size);
    return copy;
}
#endif
