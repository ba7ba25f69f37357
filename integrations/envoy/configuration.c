/* Reads the configuration of a filter chain from JSON. */
#include "configuration.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "file.h"

/* An error names a field, the value found and the value expected. */
struct reader {
    char *error;
    char prefix[128];
};

static bool refuse(struct reader *reader, const char *field, const char *found,
                   const char *expected)
{
    /* Without a field, the prefix names an object, and ends in a dot. */
    size_t len = strlen(reader->prefix);
    len -= len != 0 && *field == '\0';
    snprintf(reader->error, CHAIN_ERROR_MAX, "field \"%.*s%.255s\": found %.160s, expected %.256s",
             (int)len, reader->prefix, field, found, expected);
    return false;
}

static bool refuse_value(struct reader *reader, const char *field, json_object *value,
                         const char *expected)
{
    return refuse(reader, field, value != NULL ? json_object_to_json_string(value) : "nothing",
                  expected);
}

static bool accept(struct reader *reader, const char *field, json_object *value,
                   coalesce_result result)
{
    return result == COALESCE_OK ||
           refuse_value(reader, field, value, coalesce_result_text(result));
}

/* ---- values ---- */

static coalesce_bytes bytes(const char *text, size_t len)
{
    return (coalesce_bytes){(const uint8_t *)text, len};
}

static coalesce_bytes string_bytes(json_object *value)
{
    return bytes(json_object_get_string(value), (size_t)json_object_get_string_len(value));
}

/* Returns the place of a text among words with a space between them, or -1. */
static int place_of(const char *text, const char *words)
{
    size_t text_len = strlen(text);
    for (int place = 0; *words != '\0'; place++) {
        size_t len = strcspn(words, " ");
        if (len == text_len && memcmp(text, words, len) == 0) {
            return place;
        }
        words += len + (words[len] == ' ');
    }
    return -1;
}

/* Reads a field that is one of some words. Without the field, `value` stays. */
static bool read_word(struct reader *reader, json_object *object, const char *field,
                      const char *words, uint32_t *value)
{
    json_object *found = json_object_object_get(object, field);
    if (found == NULL) {
        return true;
    }
    bool text = json_object_is_type(found, json_type_string);
    int place = text ? place_of(json_object_get_string(found), words) : -1;
    if (place < 0) {
        char expected[128];
        snprintf(expected, sizeof expected, "one of: %s", words);
        return refuse_value(reader, field, found, expected);
    }
    *value = (uint32_t)place;
    return true;
}

/* Reads the file that a field names. */
static bool read_named_file(struct reader *reader, json_object *object, const char *field,
                            struct file *file)
{
    json_object *found = json_object_object_get(object, field);
    if (!json_object_is_type(found, json_type_string) ||
        !file_read(json_object_get_string(found), file)) {
        return refuse_value(reader, field, found, "the path of a readable file");
    }
    return true;
}

static bool check_fields(struct reader *reader, json_object *object, const char *fields)
{
    if (!json_object_is_type(object, json_type_object)) {
        return refuse_value(reader, "", object, "an object");
    }
    json_object_object_foreach(object, name, value) {
        if (place_of(name, fields) < 0) {
            char expected[256];
            snprintf(expected, sizeof expected, "only the fields: %s", fields);
            return refuse_value(reader, name, value, expected);
        }
    }
    return true;
}

/* FNV-1a. It only has to tell the files of one configuration apart. */
static uint64_t number_of(const uint8_t *data, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ data[i]) * 0x100000001b3u;
    }
    return hash != 0 ? hash : 1;
}

/* ---- tables ---- */

/* Filter chains with equal names share one table: N chains with N names would need N² entries. */
struct shared_table {
    coalesce_table *table;
    size_t users;
    struct shared_table *next;
};

static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static struct shared_table *shared_tables;

/* Returns the shared table with these bytes for one more user, or NULL. Needs the lock. */
static const coalesce_table *find_shared(coalesce_bytes compiled)
{
    for (struct shared_table *shared = shared_tables; shared != NULL; shared = shared->next) {
        coalesce_bytes own = coalesce_table_bytes(shared->table);
        if (own.len == compiled.len && memcmp(own.data, compiled.data, own.len) == 0) {
            shared->users++;
            return shared->table;
        }
    }
    return NULL;
}

/* Returns the shared table with these bytes, and checks them only if there is none. */
static coalesce_result share_compiled(coalesce_bytes compiled, const coalesce_table **table)
{
    struct shared_table *added = NULL;
    coalesce_result result = COALESCE_OK;
    pthread_mutex_lock(&shared_lock);
    *table = find_shared(compiled);
    if (*table == NULL && (added = malloc(sizeof *added)) != NULL) {
        *added = (struct shared_table){NULL, 1, shared_tables};
        result = coalesce_table_from_bytes(compiled, &added->table);
        if (result == COALESCE_OK) {
            *table = added->table;
            shared_tables = added;
        } else {
            free(added);
        }
    }
    pthread_mutex_unlock(&shared_lock);
    return result;
}

static void release_table(const coalesce_table *table)
{
    pthread_mutex_lock(&shared_lock);
    struct shared_table **place = &shared_tables;
    while (*place != NULL && (*place)->table != table) {
        place = &(*place)->next;
    }
    struct shared_table *shared = *place;
    if (shared != NULL && --shared->users == 0) {
        *place = shared->next;
        coalesce_table_free(shared->table);
        free(shared);
    }
    pthread_mutex_unlock(&shared_lock);
}

/* ---- groups ---- */

#define HANDSHAKE_FIELDS "client_certificates client_ca minimum_version other"
#define GROUP_FIELDS HANDSHAKE_FIELDS " coalesce unknown_authority connect mode"

/* The demands of a handshake. Equal ones are one group. */
static bool read_handshake(struct reader *reader, json_object *object,
                           coalesce_handshake_policy *policy)
{
    uint32_t clients = 0;
    uint32_t version = 0;
    if (!read_word(reader, object, "client_certificates", "not-asked optional required",
                   &clients) ||
        !read_word(reader, object, "minimum_version", "any 1.0 1.1 1.2 1.3", &version)) {
        return false;
    }
    *policy = (coalesce_handshake_policy){
        .size = sizeof *policy,
        .client_certificates = COALESCE_CLIENTS_NOT_ASKED + clients,
        .tls_version_min = version != 0 ? 0x0300 + version : 0,
    };
    if (clients != 0) {
        struct file file;
        if (!read_named_file(reader, object, "client_ca", &file)) {
            return false;
        }
        policy->client_ca = number_of(file.data, file.len);
        file_free(&file);
    }
    json_object *other = json_object_object_get(object, "other");
    if (other != NULL) {
        if (!json_object_is_type(other, json_type_string)) {
            return refuse_value(reader, "other", other, "a text");
        }
        policy->other = number_of(string_bytes(other).data, string_bytes(other).len);
    }
    return true;
}

#define MODES "enforce observe"

struct group {
    const char *name;
    coalesce_handshake_policy handshake;
    uint32_t number;
};

/* `enforcement` is that of a group without `mode`. */
static bool read_group(struct reader *reader, json_object *object, uint32_t enforcement,
                       coalesce_table_builder *builder, struct group *group)
{
    coalesce_group_policy policy = {.size = sizeof policy, .enforcement = enforcement};
    if (!check_fields(reader, object, GROUP_FIELDS) ||
        !read_handshake(reader, object, &group->handshake) ||
        !read_word(reader, object, "coalesce", "certificate-and-group strict-server-name never",
                   &policy.coalesce) ||
        !read_word(reader, object, "unknown_authority", "misdirected not-found",
                   &policy.unknown_authority) ||
        !read_word(reader, object, "connect", "refuse extended any", &policy.connect) ||
        !read_word(reader, object, "mode", MODES, &policy.enforcement)) {
        return false;
    }
    policy.client_certificates = group->handshake.client_certificates;
    return accept(reader, "", object,
                  coalesce_table_builder_group_for(builder, &group->handshake, &policy,
                                                   &group->number));
}

static const struct group *find_group(const struct group *groups, size_t len, json_object *name)
{
    for (size_t i = 0; i < len && json_object_is_type(name, json_type_string); i++) {
        if (strcmp(groups[i].name, json_object_get_string(name)) == 0) {
            return &groups[i];
        }
    }
    return NULL;
}

static bool read_hosts(struct reader *reader, json_object *hosts, const struct group *groups,
                       size_t groups_len, coalesce_table_builder *builder)
{
    if (!json_object_is_type(hosts, json_type_object)) {
        return refuse_value(reader, "hosts", hosts, "an object of host names and their groups");
    }
    uint32_t number = 0;
    snprintf(reader->prefix, sizeof reader->prefix, "hosts.");
    json_object_object_foreach(hosts, name, value) {
        const struct group *group = find_group(groups, groups_len, value);
        if (group == NULL) {
            return refuse_value(reader, name, value, "the name of a group");
        }
        coalesce_result result = coalesce_table_builder_entry(
            builder, bytes(name, strlen(name)), number++, group->number);
        if (result != COALESCE_OK) {
            return refuse(reader, name, "this name", coalesce_result_text(result));
        }
    }
    reader->prefix[0] = '\0';
    return true;
}

static bool read_names(struct reader *reader, json_object *root, struct group *groups,
                       coalesce_table_builder *builder, struct chain *chain)
{
    uint32_t enforcement = COALESCE_ENFORCE;
    if (!read_word(reader, root, "mode", MODES, &enforcement)) {
        return false;
    }
    size_t len = 0;
    json_object_object_foreach(json_object_object_get(root, "groups"), name, value) {
        snprintf(reader->prefix, sizeof reader->prefix, "groups.%.100s.", name);
        groups[len].name = name;
        if (!read_group(reader, value, enforcement, builder, &groups[len++])) {
            return false;
        }
    }
    reader->prefix[0] = '\0';
    json_object *hosts = json_object_object_get(root, "hosts");
    if (!read_hosts(reader, hosts, groups, len, builder)) {
        return false;
    }
    json_object *own = json_object_object_get(root, "group");
    const struct group *group = find_group(groups, len, own);
    if (group == NULL) {
        return refuse_value(reader, "group", own, "the name of a group of this filter chain");
    }
    chain->group = group->number;
    chain->policy = group->handshake;
    coalesce_table *table = NULL;
    coalesce_result result = coalesce_table_builder_build(builder, &table);
    if (result == COALESCE_OK) {
        result = share_compiled(coalesce_table_bytes(table), &chain->table);
        coalesce_table_free(table);
    }
    return accept(reader, "hosts", hosts, result);
}

/* ---- names and tables ---- */

static bool read_compiled(struct reader *reader, json_object *root, struct chain *chain)
{
    static const char *const unused[] = {"hosts", "groups", "mode"};
    for (size_t i = 0; i < 3; i++) {
        json_object *value = json_object_object_get(root, unused[i]);
        if (value != NULL) {
            return refuse_value(reader, unused[i], value, "nothing beside \"table\"");
        }
    }
    json_object *group = json_object_object_get(root, "group");
    int64_t number = json_object_get_int64(group);
    if (!json_object_is_type(group, json_type_int) || number < 0 || number >= UINT32_MAX) {
        return refuse_value(reader, "group", group, "the number of a group of the table");
    }
    chain->group = (uint32_t)number;
    json_object *handshake = json_object_object_get(root, "handshake");
    snprintf(reader->prefix, sizeof reader->prefix, "handshake.");
    if (!check_fields(reader, handshake, HANDSHAKE_FIELDS) ||
        !read_handshake(reader, handshake, &chain->policy)) {
        return false;
    }
    reader->prefix[0] = '\0';
    struct file file;
    if (!read_named_file(reader, root, "table", &file)) {
        return false;
    }
    coalesce_result result =
        share_compiled((coalesce_bytes){file.data, file.len}, &chain->table);
    file_free(&file);
    return accept(reader, "table", json_object_object_get(root, "table"), result);
}

static bool read_table(struct reader *reader, json_object *root, struct chain *chain)
{
    bool read = false;
    json_object *defined = json_object_object_get(root, "groups");
    json_object *handshake = json_object_object_get(root, "handshake");
    if (json_object_object_get(root, "table") != NULL) {
        read = read_compiled(reader, root, chain);
    } else if (handshake != NULL) {
        refuse_value(reader, "handshake", handshake, "it in \"groups\", or a \"table\"");
    } else if (!json_object_is_type(defined, json_type_object) ||
               json_object_object_length(defined) == 0) {
        refuse_value(reader, "groups", defined, "an object with at least one group");
    } else {
        struct group *groups = calloc((size_t)json_object_object_length(defined), sizeof *groups);
        coalesce_table_builder *builder = NULL;
        if (groups != NULL && coalesce_table_builder_new(&builder) == COALESCE_OK) {
            read = read_names(reader, root, groups, builder, chain);
        }
        coalesce_table_builder_free(builder);
        free(groups);
    }
    return read && chain->table != NULL;
}

/* ---- the connection ---- */

static bool read_certificate(struct reader *reader, json_object *root, struct chain *chain)
{
    struct file file;
    coalesce_bytes der;
    if (!read_named_file(reader, root, "certificate", &file)) {
        return false;
    }
    if (!file_first_certificate(&file, &der)) {
        file_free(&file);
        return refuse_value(reader, "certificate", json_object_object_get(root, "certificate"),
                            "a file with a certificate in PEM or DER");
    }
    coalesce_result result = coalesce_identifiers_from_der(der, &chain->presented);
    file_free(&file);
    return accept(reader, "certificate", json_object_object_get(root, "certificate"), result);
}

static bool read_identifiers(struct reader *reader, json_object *list, struct chain *chain)
{
    size_t len = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    coalesce_bytes *names = len != 0 ? calloc(len, sizeof *names) : NULL;
    if (names == NULL) {
        return refuse_value(reader, "identifiers", list, "a list of names");
    }
    bool texts = true;
    for (size_t i = 0; i < len; i++) {
        json_object *name = json_object_array_get_idx(list, i);
        texts = texts && json_object_is_type(name, json_type_string);
        names[i] = texts ? string_bytes(name) : bytes("", 0);
    }
    coalesce_result result = coalesce_identifiers_from_names(names, len, &chain->presented);
    free(names);
    return texts ? accept(reader, "identifiers", list, result)
                 : refuse_value(reader, "identifiers", list, "a list of names");
}

static bool read_presented(struct reader *reader, json_object *root, struct chain *chain)
{
    json_object *names = json_object_object_get(root, "identifiers");
    if (names == NULL) {
        return read_certificate(reader, root, chain);
    }
    return json_object_object_get(root, "certificate") == NULL
               ? read_identifiers(reader, names, chain)
               : refuse_value(reader, "identifiers", names, "no \"certificate\" as well");
}

static bool read_ports(struct reader *reader, json_object *root, struct chain *chain)
{
    json_object *list = json_object_object_get(root, "ports");
    if (list == NULL) {
        return true;
    }
    size_t len = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    bool valid = len > 0 && len <= CHAIN_PORTS_MAX;
    for (size_t i = 0; valid && i < len; i++) {
        json_object *port = json_object_array_get_idx(list, i);
        int64_t number = json_object_get_int64(port);
        valid = json_object_is_type(port, json_type_int) && number > 0 && number <= UINT16_MAX;
        chain->ports[i] = (uint16_t)number;
    }
    chain->ports_len = len;
    return valid || refuse_value(reader, "ports", list, "a list of 1 to 16 ports");
}

/* ---- the whole ---- */

#define ROOT_FIELDS                                                                                \
    "table hosts groups group handshake certificate identifiers ports mode"

static bool parse(const char *text, size_t len, char *error, json_object **root)
{
    json_tokener *tokener = len <= INT32_MAX ? json_tokener_new_ex(8) : NULL;
    if (tokener == NULL) {
        return false;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    *root = json_tokener_parse_ex(tokener, text, (int)len);
    enum json_tokener_error result = json_tokener_get_error(tokener);
    snprintf(error, CHAIN_ERROR_MAX, "byte %zu: found %s, expected JSON",
             json_tokener_get_parse_end(tokener),
             result == json_tokener_continue ? "the end" : json_tokener_error_desc(result));
    json_tokener_free(tokener);
    return result == json_tokener_success;
}

struct chain *chain_new(const char *text, size_t len, char error[CHAIN_ERROR_MAX])
{
    static const char out_of_memory[] = "out of memory";
    struct reader reader = {.error = error, .prefix = ""};
    struct chain *chain = calloc(1, sizeof *chain);
    json_object *root = NULL;
    memcpy(error, out_of_memory, sizeof out_of_memory);
    bool read = chain != NULL && parse(text, len, error, &root);
    if (read) {
        memcpy(error, out_of_memory, sizeof out_of_memory);
        read = check_fields(&reader, root, ROOT_FIELDS) && read_table(&reader, root, chain) &&
               read_presented(&reader, root, chain) && read_ports(&reader, root, chain);
    }
    json_object_put(root);
    if (!read) {
        chain_free(chain);
        return NULL;
    }
    return chain;
}

void chain_free(struct chain *chain)
{
    if (chain != NULL) {
        release_table(chain->table);
        coalesce_identifiers_free(chain->presented);
        free(chain);
    }
}
