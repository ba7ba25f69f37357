// A C++17 wrapper of coalesce.h: handles that free themselves, std::string_view for octets, and
// result<T> for what can fail. It throws nothing, and compiles with -fno-exceptions.
//
// A default std::string_view is absent; a view of an empty string is present and empty. A handle
// that was moved from holds NULL, which every function refuses with COALESCE_NULL_ARGUMENT.
#pragma once
#include <coalesce.h>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coalesce {

inline coalesce_bytes bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}
inline std::string_view view(coalesce_bytes octets) noexcept {
    return {reinterpret_cast<const char *>(octets.data), octets.len};
}

// A struct of the C interface that knows its size, with zeros in the other fields.
template <class S> struct sized : S { sized() noexcept : S{} { this->size = sizeof(S); } };
using group_policy = sized<coalesce_group_policy>;
using handshake_policy = sized<coalesce_handshake_policy>;
using handshake_facts = sized<coalesce_handshake_facts>;
using entry = sized<coalesce_entry>;

// The value of a function, or the code of its failure. Test it before you use the value.
template <class T> class [[nodiscard]] result {
  public:
    result(coalesce_result code, T value) noexcept : code_{code}, value_{std::move(value)} {}
    explicit operator bool() const noexcept { return code_ == COALESCE_OK; }
    coalesce_result code() const noexcept { return code_; }
    T &operator*() & noexcept { return value_; }
    T &&operator*() && noexcept { return std::move(value_); }
    T *operator->() noexcept { return &value_; }
  private:
    coalesce_result code_;
    T value_; // empty after a failure
};

// Owns a handle of the C interface.
template <class H, void (*Free)(H *)> class handle {
  public:
    using raw_type = H;
    handle() noexcept = default;
    explicit handle(H *raw) noexcept : owned_{raw} {}
    H *raw() const noexcept { return owned_.get(); }
  private:
    struct deleter { void operator()(H *freed) const noexcept { Free(freed); } };
    std::unique_ptr<H, deleter> owned_;
};

// Calls a function whose last argument is a place for a handle, and owns that handle.
template <class Made, class Function, class... Arguments>
result<Made> make(Function function, Arguments... arguments) noexcept {
    typename Made::raw_type *made = nullptr;
    const coalesce_result code = function(arguments..., &made);
    return {code, Made{made}};
}

struct table : handle<coalesce_table, coalesce_table_free> {
    using handle::handle;
    static result<table> from_bytes(std::string_view compiled) noexcept {
        return make<table>(coalesce_table_from_bytes, bytes(compiled));
    }
    // Keeps the memory of `compiled`, which must outlive the table.
    static result<table> from_static(std::string_view compiled) noexcept {
        return make<table>(coalesce_table_from_static, bytes(compiled));
    }
    std::string_view compiled() const noexcept { return view(coalesce_table_bytes(raw())); }
    size_t size() const noexcept { return coalesce_table_len(raw()); }
    // The most specific entry of a host without port.
    result<std::optional<entry>> lookup(std::string_view host) const noexcept {
        entry most_specific;
        uint32_t found = 0;
        coalesce_result code = coalesce_table_lookup(raw(), bytes(host), &most_specific, &found);
        return {code, found ? std::optional{most_specific} : std::nullopt};
    }
};

struct table_builder : handle<coalesce_table_builder, coalesce_table_builder_free> {
    using handle::handle;
    static result<table_builder> create() { return make<table_builder>(coalesce_table_builder_new); }
    [[nodiscard]] coalesce_result group(uint32_t group, const group_policy &policy = {}) noexcept {
        return coalesce_table_builder_group(raw(), group, &policy);
    }
    // Finds the group of these policies, or makes it.
    result<uint32_t> group_for(const handshake_policy &policy,
                               const group_policy &more = {}) noexcept {
        uint32_t group = COALESCE_GROUP_NONE;
        const auto code = coalesce_table_builder_group_for(raw(), &policy, &more, &group);
        return {code, group};
    }
    [[nodiscard]] coalesce_result entry(std::string_view pattern, uint32_t host, uint32_t group) {
        return coalesce_table_builder_entry(raw(), bytes(pattern), host, group);
    }
    result<table> build() const { return make<table>(coalesce_table_builder_build, raw()); }
};

struct identifiers : handle<coalesce_identifiers, coalesce_identifiers_free> {
    using handle::handle;
    static result<identifiers> from_der(std::string_view certificate) noexcept {
        return make<identifiers>(coalesce_identifiers_from_der, bytes(certificate));
    }
    // Takes "a.test", "*.a.test" and addresses.
    static result<identifiers> from_names(std::initializer_list<std::string_view> names) {
        std::vector<coalesce_bytes> list;
        for (std::string_view name : names) list.push_back(bytes(name));
        return make<identifiers>(coalesce_identifiers_from_names, list.data(), list.size());
    }
    static result<identifiers> from_bytes(std::string_view compiled) noexcept {
        return make<identifiers>(coalesce_identifiers_from_bytes, bytes(compiled));
    }
    // Keeps the memory of `compiled`, which must outlive the set.
    static result<identifiers> from_static(std::string_view compiled) noexcept {
        return make<identifiers>(coalesce_identifiers_from_static, bytes(compiled));
    }
    std::string_view compiled() const noexcept { return view(coalesce_identifiers_bytes(raw())); }
    size_t size() const noexcept { return coalesce_identifiers_len(raw()); }
    result<bool> cover(std::string_view host) const noexcept {
        uint32_t covers = 0;
        coalesce_result code = coalesce_identifiers_cover(raw(), bytes(host), &covers);
        return {code, covers != 0};
    }
};

// The facts of a connection. `presented` and `ports` are borrowed and must outlive it.
struct connection {
    uint32_t scheme = COALESCE_SCHEME_HTTPS, trust = 0, group = COALESCE_GROUP_NONE;
    std::optional<handshake_policy> policy;
    std::optional<handshake_facts> met;
    const identifiers *presented = nullptr;
    std::string_view server_name;
    const uint16_t *ports = nullptr;
    size_t ports_len = 0;
    // Borrows from this struct.
    coalesce_connection raw() const noexcept {
        return {sizeof(coalesce_connection), scheme, trust, group, 0, policy ? &*policy : nullptr,
                met ? &*met : nullptr, presented ? presented->raw() : nullptr, bytes(server_name),
                ports, ports_len};
    }
};

struct request {
    std::string_view authority, host, scheme;
    uint32_t host_count = 0, method = COALESCE_METHOD_ORDINARY;
    coalesce_request raw() const noexcept {
        return {sizeof(coalesce_request), bytes(authority), bytes(host), bytes(scheme), host_count,
                method};
    }
};

struct verdict : sized<coalesce_verdict> {
    coalesce_result code = COALESCE_OK;
    bool serves() const noexcept { return outcome == COALESCE_SERVE; }
    const char *reason_code() const noexcept { return coalesce_reason_code(reason); }
    const char *reason_text() const noexcept { return coalesce_reason_text(reason); }
};

// Decides one request. If the library refuses the arguments, the verdict is a 500 and has the code.
[[nodiscard]] inline verdict decide(const table &table, const connection &connection,
                                    const request &request) noexcept {
    verdict made;
    const coalesce_connection facts = connection.raw();
    const coalesce_request target = request.raw();
    made.code = coalesce_decide(table.raw(), &facts, &target, &made);
    return made;
}

// Explains a decision. The text is empty if the library refuses the arguments.
inline std::string explain(const table &table, const connection &connection,
                           const request &request) {
    const coalesce_connection facts = connection.raw();
    const coalesce_request target = request.raw();
    size_t len = 0;
    if (coalesce_explain(table.raw(), &facts, &target, nullptr, 0, &len) != COALESCE_OK) return {};
    std::string text(len + 1, '\0');
    coalesce_explain(table.raw(), &facts, &target, text.data(), text.size(), &len);
    text.resize(len);
    return text;
}

// Calls `each` with every origin that the connection may announce, until it returns false.
template <class F>
coalesce_result origins(const table &table, const connection &connection, F each) noexcept {
    const coalesce_connection facts = connection.raw();
    const auto call = [](void *context, coalesce_bytes origin) noexcept -> int {
        return (*static_cast<F *>(context))(view(origin)) ? 0 : 1;
    };
    return coalesce_origins(table.raw(), &facts, call, &each);
}

} // namespace coalesce
