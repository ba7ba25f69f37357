/* The rules that this interface adds to the core: handshakes, groups, tables of other memory, and
 * handles that threads share. */
#include "check.h"

#include <pthread.h>

static coalesce_verdict decide(const struct world *world, const coalesce_connection *connection,
                               const char *authority)
{
    coalesce_request request = request_for(authority);
    coalesce_verdict verdict = {.size = sizeof verdict};
    OK(coalesce_decide(world->table, connection, &request, &verdict));
    return verdict;
}

static void own_host_is_served_and_others_are_not(struct world *world)
{
    coalesce_connection connection = open_connection(world);
    const struct {
        const char *authority;
        uint32_t outcome, status, reason, step, virtual_host;
    } cases[] = {
        {"A.Test:443", COALESCE_SERVE, 0, 0, 8, 10},
        {"a.test:8443", COALESCE_SERVE, 0, 0, 8, 10},
        {"x.wild.test", COALESCE_SERVE, 0, 0, 8, 12},
        {"a.test:80", COALESCE_MISDIRECTED, 421, COALESCE_REASON_PORT, 4, 0},
        {"b.test", COALESCE_MISDIRECTED, 421, COALESCE_REASON_CERTIFICATE, 5, 0},
        {"staff.test", COALESCE_MISDIRECTED, 421, COALESCE_REASON_GROUP, 6, 0},
        {"gone.test", COALESCE_MISDIRECTED, 421, COALESCE_REASON_UNKNOWN_AUTHORITY, 3, 0},
        {"u@a.test", COALESCE_MALFORMED, 400, COALESCE_REASON_AUTHORITY_USERINFO, 1, 0},
    };
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        coalesce_verdict verdict = decide(world, &connection, cases[at].authority);
        CHECK(verdict.outcome == cases[at].outcome && verdict.status == cases[at].status);
        CHECK(verdict.reason == cases[at].reason && verdict.step == cases[at].step);
        CHECK(verdict.virtual_host == cases[at].virtual_host && verdict.group == 1);
        CHECK(verdict.served_as == (verdict.outcome == COALESCE_SERVE) && verdict.observed == 0);
    }
}

/* A session that was resumed without a certificate, a reload, a switch of the server name: whatever
 * chose the group, the handshake did not meet its policy. */
static void unmet_policy_serves_no_host(struct world *world)
{
    coalesce_connection connection = open_connection(world);
    connection.group = world->staff_group;
    connection.policy = &world->staff;
    connection.met = &world->staff_met;
    CHECK(decide(world, &connection, "staff.test").virtual_host == 13);
    coalesce_handshake_facts facts[4];
    for (int at = 0; at < 4; at++)
        facts[at] = world->staff_met;
    facts[0].client_certificate = COALESCE_CLIENT_ASKED_NONE_GIVEN;
    facts[1].client_ca = 8;
    facts[2].client_ca = 0;
    facts[3].other = 1;
    for (int at = 0; at < 4; at++) {
        connection.met = &facts[at];
        coalesce_verdict verdict = decide(world, &connection, "staff.test");
        CHECK(verdict.status == 421 && verdict.reason == COALESCE_REASON_GROUP);
        CHECK(verdict.group == COALESCE_GROUP_NONE);
        CHECK(decide(world, &connection, "a.test").reason == COALESCE_REASON_GROUP);
    }
}

static void connection_without_facts_serves_nothing(struct world *world)
{
    coalesce_connection connection = open_connection(world);
    coalesce_request request = request_for("a.test");
    coalesce_verdict verdict = {.size = sizeof verdict};
    connection.presented = NULL;
    CHECK(decide(world, &connection, "a.test").reason == COALESCE_REASON_CERTIFICATE);
    connection = open_connection(world);
    connection.group = COALESCE_GROUP_NONE;
    CHECK(decide(world, &connection, "a.test").reason == COALESCE_REASON_GROUP);
    connection = open_connection(world);
    connection.policy = NULL;
    CHECK(coalesce_decide(world->table, &connection, &request, &verdict) == COALESCE_NULL_ARGUMENT);
    connection = open_connection(world);
    connection.met = NULL;
    CHECK(coalesce_decide(world->table, &connection, &request, &verdict) == COALESCE_NULL_ARGUMENT);
    CHECK(verdict.outcome == COALESCE_MALFORMED && verdict.status == 500);
    /* A trusted gateway and a connection in the clear need neither. */
    connection.policy = NULL;
    connection.presented = NULL;
    connection.trust = COALESCE_TRUSTED_GATEWAY;
    CHECK(decide(world, &connection, "b.test").virtual_host == 11);
    connection.trust = COALESCE_OWN_CERTIFICATE;
    connection.scheme = COALESCE_SCHEME_HTTP;
    CHECK(decide(world, &connection, "b.test").reason == COALESCE_REASON_SCHEME);
    request.scheme = ABSENT;
    OK(coalesce_decide(world->table, &connection, &request, &verdict));
    CHECK(verdict.reason == COALESCE_REASON_PORT);
}

static void equal_policies_are_one_group(void)
{
    coalesce_table_builder *builder;
    coalesce_handshake_policy policy = {.size = sizeof policy, .client_certificates = 2,
                                        .client_ca = 5, .other = 6};
    coalesce_group_policy observed = {.size = sizeof observed, .enforcement = COALESCE_OBSERVE};
    uint32_t first, again, other;
    OK(coalesce_table_builder_new(&builder));
    OK(coalesce_table_builder_group(builder, 2, NULL));
    OK(coalesce_table_builder_group_for(builder, &policy, NULL, &first));
    OK(coalesce_table_builder_group_for(builder, &policy, NULL, &again));
    CHECK(first == 1 && again == 1);
    policy.other = 7;
    /* The caller has taken 2. */
    OK(coalesce_table_builder_group_for(builder, &policy, NULL, &other));
    CHECK(other == 3);
    OK(coalesce_table_builder_group_for(builder, &policy, &observed, &other));
    CHECK(other == 4);
    observed.client_certificates = COALESCE_CLIENTS_NOT_ASKED;
    CHECK(coalesce_table_builder_group_for(builder, &policy, &observed, &other) ==
          COALESCE_INVALID_VALUE);
    /* A number that `group_for` gave away has a handshake policy, which this call does not name. */
    CHECK(coalesce_table_builder_group(builder, 1, NULL) == COALESCE_GROUP_CONFLICT);
    CHECK(coalesce_table_builder_group(builder, 2, &observed) == COALESCE_GROUP_CONFLICT);
    OK(coalesce_table_builder_group(builder, 2, NULL));

    OK(coalesce_table_builder_entry(builder, bytes("a.test"), 1, 1));
    OK(coalesce_table_builder_entry(builder, bytes("A.Test."), 1, 1));
    CHECK(coalesce_table_builder_entry(builder, bytes("a.test"), 2, 1) == COALESCE_DUPLICATE_NAME);
    CHECK(coalesce_table_builder_entry(builder, bytes("a.test"), 1, 2) == COALESCE_DUPLICATE_NAME);
    CHECK(coalesce_table_builder_entry(builder, bytes("b.test"), 1, 9) == COALESCE_UNKNOWN_GROUP);
    CHECK(coalesce_table_builder_entry(builder, bytes("a b"), 1, 1) == COALESCE_INVALID_NAME);
    CHECK(coalesce_table_builder_entry(builder, bytes(""), 1, 1) == COALESCE_INVALID_NAME);
    coalesce_table *table;
    OK(coalesce_table_builder_build(builder, &table));
    CHECK(coalesce_table_len(table) == 1);
    coalesce_table_free(table);
    coalesce_table_builder_free(builder);
}

static void compiled_bytes_are_the_same_table(struct world *world)
{
    coalesce_bytes compiled = coalesce_table_bytes(world->table);
    /* An odd address: compiled bytes need no alignment. */
    uint8_t *copy = malloc(compiled.len + 1);
    memcpy(copy + 1, compiled.data, compiled.len);
    compiled.data = copy + 1;
    struct world other = *world;
    coalesce_connection connection = open_connection(world);
    for (int kept = 0; kept < 2; kept++) {
        OK(kept ? coalesce_table_from_static(compiled, &other.table)
                : coalesce_table_from_bytes(compiled, &other.table));
        CHECK(coalesce_table_len(other.table) == 4);
        CHECK(decide(&other, &connection, "a.test").virtual_host == 10);
        coalesce_table_free(other.table);
    }
    for (size_t len = 0; len < compiled.len; len++) {
        coalesce_bytes cut = {compiled.data, len};
        CHECK(coalesce_table_from_bytes(cut, &other.table) == COALESCE_INVALID_TABLE);
    }
    coalesce_identifiers *set;
    CHECK(coalesce_identifiers_from_bytes(compiled, &set) == COALESCE_INVALID_TABLE);
    OK(coalesce_identifiers_from_static(coalesce_identifiers_bytes(world->presented), &set));
    CHECK(coalesce_identifiers_len(set) == 4);
    coalesce_identifiers_free(set);
    CHECK(coalesce_identifiers_from_der(compiled, &set) == COALESCE_INVALID_CERTIFICATE);
    free(copy);
}

static void table_in_memory_of_the_caller_decides(struct world *world)
{
    const coalesce_bytes table = coalesce_table_bytes(world->table);
    const coalesce_bytes set = coalesce_identifiers_bytes(world->presented);
    static uint64_t storage[1 + COALESCE_TABLE_STORAGE / 8];
    static uint64_t set_storage[COALESCE_IDENTIFIERS_STORAGE / 8];
    struct world other = *world;
    for (size_t len = 0; len < 64; len++)
        CHECK(coalesce_table_init(storage, len, table, &other.table) == COALESCE_TOO_LARGE);
    CHECK(coalesce_table_init((uint8_t *)storage + 1, COALESCE_TABLE_STORAGE, table,
                              &other.table) == COALESCE_INVALID_VALUE);
    CHECK(other.table == NULL);
    CHECK(coalesce_table_init(storage, COALESCE_TABLE_STORAGE, set, &other.table) ==
          COALESCE_INVALID_TABLE);
    OK(coalesce_table_init(storage, COALESCE_TABLE_STORAGE, table, &other.table));
    OK(coalesce_identifiers_init(set_storage, sizeof set_storage, set, &other.presented));
    coalesce_connection connection = open_connection(&other);
    CHECK(decide(&other, &connection, "a.test").virtual_host == 10);
    CHECK(decide(&other, &connection, "b.test").reason == COALESCE_REASON_CERTIFICATE);
    /* They are not on the heap, so this frees nothing. */
    world_free(&other);
    CHECK(decide(&other, &connection, "a.test").virtual_host == 10);
}

static void hosts_are_looked_up_and_covered(struct world *world)
{
    coalesce_entry entry = {.size = sizeof entry};
    uint32_t found, covers;
    OK(coalesce_table_lookup(world->table, bytes("x.wild.test"), &entry, &found));
    CHECK(found == 1 && entry.virtual_host == 12 && entry.group == 1);
    OK(coalesce_table_lookup(world->table, bytes("gone.test"), &entry, &found));
    CHECK(found == 0);
    CHECK(coalesce_table_lookup(world->table, bytes("a.test:1"), &entry, &found) ==
          COALESCE_INVALID_NAME);
    CHECK(found == 0);
    OK(coalesce_identifiers_cover(world->presented, bytes("192.0.2.1"), &covers));
    CHECK(covers == 1);
    OK(coalesce_identifiers_cover(world->presented, bytes("wild.test"), &covers));
    CHECK(covers == 0);
    const char *wrong[] = {"f*.test", "DNS:192.0.2.1", "IP:a.test", "DNS:", "", "email:a@b"};
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++) {
        coalesce_bytes name = bytes(wrong[at]);
        coalesce_identifiers *set;
        CHECK(coalesce_identifiers_from_names(&name, 1, &set) == COALESCE_INVALID_NAME);
        CHECK(set == NULL);
    }
}

static int append(void *context, coalesce_bytes origin)
{
    strncat(context, (const char *)origin.data, origin.len);
    strcat(context, " ");
    return 0;
}

static int end_at_once(void *context, coalesce_bytes origin)
{
    (void)origin;
    ++*(int *)context;
    return 1;
}

static void origins_are_those_that_are_served(struct world *world)
{
    coalesce_connection connection = open_connection(world);
    char origins[256] = "";
    int calls = 0;
    OK(coalesce_origins(world->table, &connection, append, origins));
    CHECK(strcmp(origins, "https://a.test https://a.test:8443 ") == 0);
    OK(coalesce_origins(world->table, &connection, end_at_once, &calls));
    CHECK(calls == 1);
    connection.policy = &world->staff;
    calls = 0;
    OK(coalesce_origins(world->table, &connection, end_at_once, &calls));
    CHECK(calls == 0);
}

static void *decide_often(void *context)
{
    const struct world *world = context;
    coalesce_connection connection = open_connection(world);
    for (int at = 0; at < 2000; at++) {
        CHECK(decide(world, &connection, "a.test").virtual_host == 10);
        CHECK(decide(world, &connection, "b.test").status == 421);
    }
    return NULL;
}

static void threads_share_a_table_and_a_set(struct world *world)
{
    pthread_t threads[4];
    for (int at = 0; at < 4; at++)
        CHECK(pthread_create(&threads[at], NULL, decide_often, world) == 0);
    for (int at = 0; at < 4; at++)
        CHECK(pthread_join(threads[at], NULL) == 0);
}

int main(void)
{
    struct world made = world();
    own_host_is_served_and_others_are_not(&made);
    unmet_policy_serves_no_host(&made);
    connection_without_facts_serves_nothing(&made);
    equal_policies_are_one_group();
    compiled_bytes_are_the_same_table(&made);
    table_in_memory_of_the_caller_decides(&made);
    hosts_are_looked_up_and_covered(&made);
    origins_are_those_that_are_served(&made);
    threads_share_a_table_and_a_set(&made);
    world_free(&made);
    return 0;
}
