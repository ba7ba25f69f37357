/* A program on a machine without a standard library: it reads a compiled table and a compiled set
 * in its own memory, and decides. Linux runs it as well, so that its exit status says whether the
 * decisions were right. */
#include <coalesce.h>

/* The golden tables of the core. */
__asm__(".section .rodata\n"
        "table: .incbin \"" TABLE "\"\n"
        "table_end:\n"
        "identifiers: .incbin \"" IDENTIFIERS "\"\n"
        "identifiers_end:\n"
        ".text\n");
extern const uint8_t table[], table_end[], identifiers[], identifiers_end[];

static uint64_t table_storage[COALESCE_TABLE_STORAGE / 8];
static uint64_t identifiers_storage[COALESCE_IDENTIFIERS_STORAGE / 8];

static size_t length(const char *text)
{
    size_t len = 0;
    while (text[len] != '\0')
        len++;
    return len;
}

static coalesce_bytes bytes(const char *text)
{
    coalesce_bytes made = {(const uint8_t *)text, length(text)};
    return made;
}

/* Returns 0, or the number of the step that failed. */
static int decisions(void)
{
    const coalesce_bytes compiled = {table, (size_t)(table_end - table)};
    const coalesce_bytes names = {identifiers, (size_t)(identifiers_end - identifiers)};
    coalesce_table *made;
    coalesce_identifiers *presented;
    if (coalesce_table_init(table_storage, sizeof table_storage, compiled, &made) != COALESCE_OK)
        return 1;
    if (coalesce_identifiers_init(identifiers_storage, sizeof identifiers_storage, names,
                                  &presented) != COALESCE_OK)
        return 2;
    const uint16_t port = 443;
    coalesce_handshake_policy policy = {0};
    coalesce_handshake_facts met = {0};
    coalesce_connection connection = {0};
    coalesce_request request = {0};
    coalesce_verdict verdict = {0};
    coalesce_entry entry = {0};
    uint32_t answer;
    size_t written;
    char text[200];
    policy.size = sizeof policy;
    policy.client_certificates = COALESCE_CLIENTS_NOT_ASKED;
    met.size = sizeof met;
    connection.size = sizeof connection;
    connection.scheme = COALESCE_SCHEME_HTTPS;
    connection.group = 1;
    connection.policy = &policy;
    connection.met = &met;
    connection.presented = presented;
    connection.ports = &port;
    connection.ports_len = 1;
    request.size = sizeof request;
    verdict.size = sizeof verdict;
    entry.size = sizeof entry;
    request.authority = bytes("a.example.test");
    if (coalesce_decide(made, &connection, &request, &verdict) != COALESCE_OK)
        return 3;
    if (verdict.outcome != COALESCE_SERVE)
        return 4;
    request.authority = bytes("user@a.example.test");
    coalesce_decide(made, &connection, &request, &verdict);
    if (verdict.status != 400)
        return 5;
    if (coalesce_explain(made, &connection, &request, text, sizeof text, &written) != COALESCE_OK ||
        text[0] != '4')
        return 6;
    if (coalesce_table_lookup(made, bytes("a.example.test"), &entry, &answer) != COALESCE_OK ||
        answer != 1)
        return 7;
    if (coalesce_identifiers_cover(presented, bytes("a.example.test"), &answer) != COALESCE_OK ||
        answer != 1)
        return 8;
    if (coalesce_handshake_met(&policy, &met, &answer) != COALESCE_OK || answer != 1)
        return 9;
    return coalesce_reason_code(verdict.reason)[0] == 'a' ? 0 : 10;
}

/* Ends the process of Linux. */
__attribute__((used)) static void run(void)
{
    const long exit_process = 60;
    const long status = decisions();
    __asm__ volatile("syscall" : : "a"(exit_process), "D"(status));
    __builtin_unreachable();
}

/* The loader enters without a return address on the stack. */
__asm__(".globl _start\n"
        "_start: and $-16, %rsp\n"
        "call run\n");
