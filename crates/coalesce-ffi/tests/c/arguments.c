/* Calls every function with NULL, structs of other sizes, hostile lengths and bad enumerations. */
#include "check.h"

static const size_t BEYOND = (size_t)-1;

static void texts_are_never_null(void)
{
    CHECK(coalesce_abi_version() == COALESCE_ABI_VERSION);
    CHECK(strlen(coalesce_version()) >= 5);
    for (uint32_t number = 0; number < 300; number++) {
        CHECK(coalesce_result_text(number)[0] != '\0');
        CHECK((coalesce_reason_code(number)[0] == '\0') == (coalesce_reason_text(number)[0] == '\0'));
        CHECK(coalesce_reason_rule(number) != NULL);
        CHECK(coalesce_reason_step(number) <= 8);
    }
    CHECK(strcmp(coalesce_result_text(UINT32_MAX), "unknown result code") == 0);
    CHECK(coalesce_reason_code(0)[0] == '\0' && coalesce_reason_code(UINT32_MAX)[0] == '\0');
    CHECK(strcmp(coalesce_reason_code(COALESCE_REASON_GROUP), "group") == 0);
    CHECK(coalesce_reason_step(COALESCE_REASON_CERTIFICATE) == 5);
}

static void null_is_a_result(struct world *world)
{
    coalesce_table *table = world->table;
    coalesce_table_builder *builder = NULL;
    coalesce_identifiers *identifiers = world->presented;
    coalesce_connection connection = open_connection(world);
    coalesce_request request = request_for("a.test");
    coalesce_verdict verdict = {.size = sizeof verdict};
    coalesce_entry entry = {.size = sizeof entry};
    uint32_t number;
    size_t written;

    CHECK(coalesce_table_builder_new(NULL) == COALESCE_NULL_ARGUMENT);
    OK(coalesce_table_builder_new(&builder));
    CHECK(coalesce_table_builder_group(NULL, 1, NULL) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_builder_group_for(NULL, &world->open, NULL, &number) ==
          COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_builder_group_for(builder, NULL, NULL, &number) ==
          COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_builder_group_for(builder, &world->open, NULL, NULL) ==
          COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_builder_entry(NULL, bytes("a"), 0, 1) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_builder_entry(builder, ABSENT, 0, 1) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_builder_build(builder, NULL) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_builder_build(NULL, &table) == COALESCE_NULL_ARGUMENT && table == NULL);
    coalesce_table_builder_free(builder);
    coalesce_table_builder_free(NULL);

    table = world->table;
    CHECK(coalesce_table_from_bytes(ABSENT, &table) == COALESCE_NULL_ARGUMENT && table == NULL);
    CHECK(coalesce_table_from_bytes(bytes("COAL"), NULL) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_from_static(ABSENT, &table) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_from_static(bytes("COAL"), NULL) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_bytes(NULL).data == NULL && coalesce_table_bytes(NULL).len == 0);
    CHECK(coalesce_table_len(NULL) == 0);
    CHECK(coalesce_table_lookup(NULL, bytes("a"), &entry, &number) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_lookup(world->table, ABSENT, &entry, &number) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_lookup(world->table, bytes("a"), NULL, &number) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_lookup(world->table, bytes("a"), &entry, NULL) == COALESCE_NULL_ARGUMENT);
    uint64_t storage[COALESCE_TABLE_STORAGE / 8];
    CHECK(coalesce_table_init(NULL, sizeof storage, bytes("C"), &table) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_init(storage, sizeof storage, ABSENT, &table) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_table_init(storage, sizeof storage, bytes("C"), NULL) == COALESCE_NULL_ARGUMENT);
    coalesce_table_free(NULL);

    CHECK(coalesce_identifiers_from_der(ABSENT, &identifiers) == COALESCE_NULL_ARGUMENT);
    CHECK(identifiers == NULL);
    CHECK(coalesce_identifiers_from_der(bytes("0"), NULL) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_identifiers_from_names(NULL, 1, &identifiers) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_identifiers_from_names(&(coalesce_bytes){NULL, 0}, 1, &identifiers) ==
          COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_identifiers_from_names(NULL, 0, NULL) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_identifiers_from_bytes(ABSENT, &identifiers) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_identifiers_from_bytes(bytes("C"), NULL) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_identifiers_from_static(ABSENT, &identifiers) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_identifiers_from_static(bytes("C"), NULL) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_identifiers_bytes(NULL).data == NULL && coalesce_identifiers_len(NULL) == 0);
    CHECK(coalesce_identifiers_cover(NULL, bytes("a"), &number) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_identifiers_cover(world->presented, ABSENT, &number) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_identifiers_cover(world->presented, bytes("a"), NULL) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_identifiers_init(NULL, sizeof storage, bytes("C"), &identifiers) ==
          COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_identifiers_init(storage, sizeof storage, ABSENT, &identifiers) ==
          COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_identifiers_init(storage, sizeof storage, bytes("C"), NULL) ==
          COALESCE_NULL_ARGUMENT);
    coalesce_identifiers_free(NULL);

    CHECK(coalesce_handshake_met(NULL, &world->open_met, &number) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_handshake_met(&world->open, NULL, &number) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_handshake_met(&world->open, &world->open_met, NULL) == COALESCE_NULL_ARGUMENT);

    CHECK(coalesce_decide(NULL, &connection, &request, &verdict) == COALESCE_NULL_ARGUMENT);
    CHECK(verdict.outcome == COALESCE_MALFORMED && verdict.status == 500);
    CHECK(verdict.reason == COALESCE_REASON_NOT_DECIDED && verdict.group == COALESCE_GROUP_NONE);
    CHECK(coalesce_decide(world->table, NULL, &request, &verdict) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_decide(world->table, &connection, NULL, &verdict) == COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_decide(world->table, &connection, &request, NULL) == COALESCE_NULL_ARGUMENT);

    char text[8] = "before";
    CHECK(coalesce_explain(NULL, &connection, &request, text, 8, &written) ==
          COALESCE_NULL_ARGUMENT);
    CHECK(text[0] == '\0' && written == 0);
    CHECK(coalesce_explain(world->table, NULL, &request, text, 8, &written) ==
          COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_explain(world->table, &connection, NULL, text, 8, &written) ==
          COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_explain(world->table, &connection, &request, NULL, 8, &written) ==
          COALESCE_NULL_ARGUMENT);
    CHECK(coalesce_explain(world->table, &connection, &request, text, 8, NULL) ==
          COALESCE_NULL_ARGUMENT);
    OK(coalesce_explain(world->table, &connection, &request, NULL, 0, &written));
    CHECK(written > 20);
    CHECK(coalesce_origins(world->table, &connection, NULL, NULL) == COALESCE_NULL_ARGUMENT);
}

/* Every size from nothing to beyond the largest. Behind each copy is a page without access. */
static void sizes_are_checked(struct world *world)
{
    coalesce_connection connection = open_connection(world);
    coalesce_request request = request_for("a.test");
    coalesce_group_policy group = {.size = sizeof group};
    coalesce_table_builder *builder;
    uint32_t number;
    OK(coalesce_table_builder_new(&builder));
    for (size_t size = 0; size < COALESCE_STRUCT_SIZE_MAX + 2; size++) {
        const int large = size > COALESCE_STRUCT_SIZE_MAX;
        void *copy = sized_copy(&connection, sizeof connection, size);
        coalesce_verdict verdict = {.size = sizeof verdict, .outcome = 0};
        coalesce_result result = coalesce_decide(world->table, copy, &request, &verdict);
        CHECK(result == (large || size < sizeof connection ? COALESCE_STRUCT_SIZE : COALESCE_OK));
        CHECK(verdict.outcome == (result == COALESCE_OK ? COALESCE_SERVE : COALESCE_MALFORMED));

        copy = sized_copy(&request, sizeof request, size);
        result = coalesce_decide(world->table, &connection, copy, &verdict);
        CHECK(result == (large || size < sizeof request ? COALESCE_STRUCT_SIZE : COALESCE_OK));

        copy = sized_copy(&group, sizeof group, size);
        result = coalesce_table_builder_group(builder, 1, copy);
        CHECK(result == (large || size < sizeof group ? COALESCE_STRUCT_SIZE : COALESCE_OK));

        copy = sized_copy(&world->staff, sizeof world->staff, size);
        result = coalesce_handshake_met(copy, &world->staff_met, &number);
        CHECK(result == (large || size < sizeof world->staff ? COALESCE_STRUCT_SIZE : COALESCE_OK));
        CHECK(number == (result == COALESCE_OK));
        connection.policy = copy;
        result = coalesce_decide(world->table, &connection, &request, &verdict);
        CHECK((result == COALESCE_OK) == (size >= sizeof world->staff && !large));
        CHECK(verdict.outcome != COALESCE_SERVE);
        connection.policy = &world->open;

        copy = sized_copy(&world->staff_met, sizeof world->staff_met, size);
        result = coalesce_handshake_met(&world->staff, copy, &number);
        CHECK((result == COALESCE_OK) == (size >= sizeof world->staff_met && !large));

        /* Of an output, the fields that only the caller knows are set to 0. */
        uint8_t *output = sized_copy(&verdict, sizeof verdict, size);
        if (size > sizeof verdict)
            memset(output + sizeof verdict, 0xaa, size - sizeof verdict);
        result = coalesce_decide(world->table, &connection, &request, (void *)output);
        CHECK((result == COALESCE_OK) == (size >= sizeof verdict && !large));
        for (size_t at = sizeof verdict; result == COALESCE_OK && at < size; at++)
            CHECK(output[at] == 0);

        coalesce_entry entry = {0, 0, 0};
        copy = sized_copy(&entry, sizeof entry, size);
        result = coalesce_table_lookup(world->table, bytes("b.test"), copy, &number);
        CHECK((result == COALESCE_OK) == (size >= sizeof entry && !large));
        CHECK(number == (result == COALESCE_OK));
    }
    /* A newer caller asks for something that this library does not know. */
    uint8_t *newer = sized_copy(&connection, sizeof connection, sizeof connection + 8);
    coalesce_verdict verdict = {.size = sizeof verdict};
    newer[sizeof connection + 7] = 1;
    CHECK(coalesce_decide(world->table, (void *)newer, &request, &verdict) == COALESCE_STRUCT_SIZE);
    CHECK(verdict.status == 500);
    coalesce_table_builder_free(builder);
}

static void lengths_are_checked(struct world *world)
{
    coalesce_connection connection = open_connection(world);
    coalesce_request request = request_for("a.test");
    coalesce_verdict verdict = {.size = sizeof verdict};
    uint32_t number;
    size_t written;
    char text[64];
    const coalesce_bytes hostile[] = {{NULL, 1}, {NULL, BEYOND}, {(const uint8_t *)"x", BEYOND}};
    for (int at = 0; at < 3; at++) {
        const coalesce_result expected = at < 2 ? COALESCE_NULL_ARGUMENT : COALESCE_INVALID_VALUE;
        coalesce_table *table;
        coalesce_identifiers *identifiers;
        CHECK(coalesce_table_from_bytes(hostile[at], &table) == expected);
        CHECK(coalesce_table_from_static(hostile[at], &table) == expected);
        CHECK(coalesce_identifiers_from_der(hostile[at], &identifiers) == expected);
        CHECK(coalesce_identifiers_from_names(&hostile[at], 1, &identifiers) == expected);
        CHECK(coalesce_identifiers_cover(world->presented, hostile[at], &number) == expected);
        connection.server_name = hostile[at];
        CHECK(coalesce_decide(world->table, &connection, &request, &verdict) == expected);
        connection.server_name = ABSENT;
        coalesce_request hostile_request = request;
        hostile_request.authority = hostile[at];
        CHECK(coalesce_decide(world->table, &connection, &hostile_request, &verdict) == expected);
        CHECK(verdict.status == 500);
        hostile_request = request;
        hostile_request.host = hostile[at];
        CHECK(coalesce_decide(world->table, &connection, &hostile_request, &verdict) == expected);
        hostile_request = request;
        hostile_request.scheme = hostile[at];
        CHECK(coalesce_decide(world->table, &connection, &hostile_request, &verdict) == expected);
    }
    coalesce_identifiers *identifiers;
    CHECK(coalesce_identifiers_from_names(hostile, BEYOND, &identifiers) == COALESCE_INVALID_VALUE);
    CHECK(coalesce_explain(world->table, &connection, &request, text, BEYOND, &written) ==
          COALESCE_INVALID_VALUE);
    const size_t ports[] = {0, COALESCE_PORTS_MAX + 1, BEYOND};
    for (int at = 0; at < 3; at++) {
        uint16_t many[COALESCE_PORTS_MAX + 1] = {443};
        connection.ports = many;
        connection.ports_len = ports[at];
        CHECK(coalesce_decide(world->table, &connection, &request, &verdict) ==
              COALESCE_INVALID_VALUE);
    }
    connection.ports = NULL;
    connection.ports_len = 1;
    CHECK(coalesce_decide(world->table, &connection, &request, &verdict) == COALESCE_NULL_ARGUMENT);
    /* A name of every length, each with a page without access behind it. */
    connection = open_connection(world);
    for (size_t len = 0; len < 300; len++) {
        uint8_t *name = guarded(len, 1);
        memset(name, 'a', len);
        request.authority = (coalesce_bytes){name, len};
        OK(coalesce_decide(world->table, &connection, &request, &verdict));
        CHECK(verdict.outcome != COALESCE_SERVE);
    }
    /* A text of every length, each with a page without access behind it. */
    request = request_for("b.test");
    char whole[512];
    OK(coalesce_explain(world->table, &connection, &request, whole, sizeof whole, &written));
    const size_t len = written;
    CHECK(len == strlen(whole));
    for (size_t room = 1; room < len + 3; room++) {
        char *cut = (char *)guarded(room, 1);
        OK(coalesce_explain(world->table, &connection, &request, cut, room, &written));
        CHECK(written == len && strncmp(whole, cut, strlen(cut)) == 0);
        CHECK(strlen(cut) + 3 >= (room <= len ? room - 1 : len) && strlen(cut) < room);
    }
}

static void enumerations_are_checked(struct world *world)
{
    const uint32_t wrong[] = {4, 5, 100, UINT32_MAX};
    coalesce_table_builder *builder;
    uint32_t number;
    OK(coalesce_table_builder_new(&builder));
    CHECK(coalesce_table_builder_group(builder, COALESCE_GROUP_NONE, NULL) ==
          COALESCE_INVALID_VALUE);
    for (int at = 0; at < 4; at++) {
        coalesce_group_policy group = {.size = sizeof group};
        uint32_t *fields[] = {&group.coalesce, &group.unknown_authority, &group.connect,
                              &group.enforcement, &group.client_certificates};
        for (int field = 0; field < 5; field++) {
            *fields[field] = wrong[at];
            CHECK(coalesce_table_builder_group(builder, 1, &group) == COALESCE_INVALID_VALUE);
            *fields[field] = 0;
        }
        coalesce_handshake_policy policy = world->staff;
        policy.client_certificates = wrong[at];
        CHECK(coalesce_handshake_met(&policy, &world->staff_met, &number) ==
              COALESCE_INVALID_VALUE);
        CHECK(coalesce_table_builder_group_for(builder, &policy, NULL, &number) ==
              COALESCE_INVALID_VALUE);
        policy = world->staff;
        policy.tls_version_min = wrong[at];
        CHECK(coalesce_handshake_met(&policy, &world->staff_met, &number) ==
              COALESCE_INVALID_VALUE);
        coalesce_handshake_facts facts = world->staff_met;
        facts.client_certificate = wrong[at];
        CHECK(coalesce_handshake_met(&world->staff, &facts, &number) == COALESCE_INVALID_VALUE);
        facts = world->staff_met;
        facts.tls_version = wrong[at];
        CHECK(coalesce_handshake_met(&world->staff, &facts, &number) == COALESCE_INVALID_VALUE);

        coalesce_request request = request_for("a.test");
        coalesce_verdict verdict = {.size = sizeof verdict};
        coalesce_connection connection = open_connection(world);
        connection.scheme = wrong[at];
        CHECK(coalesce_decide(world->table, &connection, &request, &verdict) ==
              COALESCE_INVALID_VALUE);
        connection = open_connection(world);
        connection.trust = wrong[at];
        CHECK(coalesce_decide(world->table, &connection, &request, &verdict) ==
              COALESCE_INVALID_VALUE);
        connection = open_connection(world);
        connection.reserved = wrong[at];
        CHECK(coalesce_decide(world->table, &connection, &request, &verdict) ==
              COALESCE_INVALID_VALUE);
        connection = open_connection(world);
        request.method = wrong[at];
        CHECK(coalesce_decide(world->table, &connection, &request, &verdict) ==
              COALESCE_INVALID_VALUE);
        CHECK(verdict.outcome == COALESCE_MALFORMED && verdict.status == 500);
    }
    coalesce_table_builder_free(builder);
}

int main(void)
{
    struct world made = world();
    texts_are_never_null();
    null_is_a_result(&made);
    sizes_are_checked(&made);
    lengths_are_checked(&made);
    enumerations_are_checked(&made);
    world_free(&made);
    return 0;
}
