// Uses every part of coalesce.hpp. Prints nothing and returns 0 if all is as expected.
#include <coalesce.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#define NEED(condition) \
    if (!(condition)) std::printf("line %d: %s\n", __LINE__, #condition), std::exit(1)

using namespace coalesce;

static handshake_policy asks_no_client() {
    handshake_policy policy;
    policy.client_certificates = COALESCE_CLIENTS_NOT_ASKED;
    return policy;
}

static table site(uint32_t &group) {
    auto builder = table_builder::create();
    NEED(builder);
    auto made = builder->group_for(asks_no_client());
    NEED(made);
    group = *made;
    group_policy strict;
    strict.coalesce = COALESCE_STRICT_SERVER_NAME;
    auto other = builder->group_for(asks_no_client(), strict);
    NEED(other && *other != group);
    NEED(builder->group(100) == COALESCE_OK);
    NEED(builder->entry("shop.test", 0, group) == COALESCE_OK);
    NEED(builder->entry("*.img.test", 1, group) == COALESCE_OK);
    NEED(builder->entry("admin.test", 2, *other) == COALESCE_OK);
    NEED(builder->entry("a..b", 3, group) == COALESCE_INVALID_NAME);
    NEED(builder->entry({}, 3, group) == COALESCE_NULL_ARGUMENT);
    auto built = builder->build();
    NEED(built);
    return *std::move(built);
}

static void tables(const table &site) {
    NEED(site.size() == 3);
    auto found = site.lookup("x.img.test");
    NEED(found && *found && (*found)->virtual_host == 1);
    NEED(site.lookup("nowhere.test") && !*site.lookup("nowhere.test"));
    NEED(!site.lookup("a b") && site.lookup("a b").code() == COALESCE_INVALID_NAME);
    std::string compiled{site.compiled()};
    auto copied = table::from_bytes(compiled);
    auto borrowed = table::from_static(compiled);
    NEED(copied && borrowed && copied->size() == 3 && borrowed->size() == 3);
    NEED(borrowed->compiled().data() == compiled.data());
    NEED(copied->compiled() == compiled);
    NEED(table::from_bytes("no table").code() == COALESCE_INVALID_TABLE);
    table moved = *std::move(copied), empty;
    NEED(moved.lookup("shop.test") && empty.lookup("shop.test").code() == COALESCE_NULL_ARGUMENT);
    moved = std::move(empty);
    NEED(!moved.raw());
}

static identifiers names() {
    auto set = identifiers::from_names({"shop.test", "*.img.test", "192.0.2.1"});
    NEED(set && set->size() == 3);
    NEED(set->cover("a.img.test") && *set->cover("a.img.test") && !*set->cover("admin.test"));
    std::string compiled{set->compiled()};
    NEED(identifiers::from_bytes(compiled) && identifiers::from_static(compiled));
    NEED(identifiers::from_names({"a..b"}).code() == COALESCE_INVALID_NAME);
    NEED(identifiers::from_der("no certificate").code() == COALESCE_INVALID_CERTIFICATE);
    NEED(!identifiers::from_bytes({}));
    return *std::move(set);
}

int main() {
    uint32_t group;
    const table site = ::site(group);
    tables(site);
    const identifiers presented = names();
    const uint16_t ports[] = {443};
    connection facts;
    facts.group = group;
    facts.policy = asks_no_client();
    facts.met.emplace();
    facts.met->client_certificate = COALESCE_CLIENT_NOT_ASKED;
    facts.met->tls_version = 0x0304;
    facts.presented = &presented;
    facts.server_name = "shop.test";
    facts.ports = ports;
    facts.ports_len = 1;
    request asked;
    asked.authority = "a.img.test";
    asked.scheme = "https";
    verdict served = decide(site, facts, asked);
    NEED(served.code == COALESCE_OK && served.serves() && served.virtual_host == 1);
    NEED(!std::strcmp(served.reason_code(), ""));
    asked.authority = "admin.test";
    verdict refused = decide(site, facts, asked);
    NEED(!refused.serves() && refused.status == 421);
    NEED(!std::strcmp(refused.reason_code(), "certificate") && *refused.reason_text());
    NEED(explain(site, facts, asked).find("admin.test") != std::string::npos);
    int origins_count = 0;
    auto count = [&](std::string_view origin) { return origins_count += origin == "https://shop.test"; };
    NEED(origins(site, facts, count) == COALESCE_OK && origins_count == 1);
    // An absent authority is not an empty one, and a missing policy serves nothing.
    asked.authority = {};
    NEED(decide(site, facts, asked).outcome == COALESCE_MALFORMED);
    facts.policy.reset();
    asked.authority = "shop.test";
    verdict failed = decide(site, facts, asked);
    NEED(failed.code == COALESCE_NULL_ARGUMENT && failed.status == 500 && !failed.serves());
    NEED(explain(site, facts, asked).empty());
}
