-- The action `http-request lua.coalesce`: decides whether a request may be served on its
-- connection. README.md says how to configure it.
--
-- The crt-list of a bind line has the names, certificates and TLS policies of a listener, so this
-- file reads the same crt-list, by the rules of the configuration manual (§5.1). Lines with equal
-- policies are one coalescing group.

local native = require("coalesce_core")

-- Certificates whose names each thread remembers. A lost one is read again.
local PRESENTED_MAX = 1024

local OUTCOMES = { "serve", "misdirected", "malformed" }
local CLIENT_CERTIFICATES = { none = 1, optional = 2, required = 3 }
local TLS_VERSIONS = {
    ["TLSv1.0"] = 0x301, ["TLSv1.1"] = 0x302, ["TLSv1.2"] = 0x303, ["TLSv1.3"] = 0x304,
}

-- Options of a crt-list that take no value. Each other one takes a word.
local NO_VALUE = { ["allow-0rtt"] = true, ["no-alpn"] = true, ["no-ca-names"] = true }
-- Options that a policy has apart from the rest.
local POLICY = {
    verify = true, ["ca-file"] = true, ["ca-verify-file"] = true, ["crl-file"] = true,
    ["ssl-min-ver"] = true,
}

local function fail(place, message, ...)
    error(place .. ": " .. message:format(...), 0)
end

local function read_options(text, place)
    local options, name = {}, nil
    for word in text:gmatch("%S+") do
        if name then
            options[name], name = word, nil
        elseif NO_VALUE[word] then
            options[word] = ""
        else
            name = word
        end
    end
    if name then
        fail(place, 'option "%s": found nothing, expected a value', name)
    end
    return options
end

local function in_folder(path, folder)
    return folder and not path:find("^[/@]") and folder .. "/" .. path or path
end

-- Returns the number of a key; equal keys have equal numbers.
local function number_of(numbers, key, make)
    if not numbers[key] then
        numbers.count = (numbers.count or 0) + 1
        numbers[key] = make and make() or numbers.count
    end
    return numbers[key]
end

local function client_ca(reader, options, place)
    local function path(option)
        return options[option] and in_folder(options[option], reader.config.ca_base)
    end
    local crl, cas = path("crl-file"), { path("ca-file") }
    cas[#cas + 1] = path("ca-verify-file")
    if #cas == 0 then
        fail(place, 'option "verify": found no client CA, expected option "ca-file" as well')
    end
    local files = table.concat(cas, " ")
    return number_of(reader.cas, files .. "\0" .. (crl or ""), function()
        local number, problem = reader.set:client_ca(crl, table.unpack(cas))
        local all = crl and files .. " " .. crl or files
        return number or fail(place, "cannot read %s: %s", all, problem)
    end)
end

-- Returns the group of a line: the line's options, or those of the bind line where it has none.
local function read_group(reader, text, place)
    local options = read_options(reader.config.bind or "", 'field "bind"')
    for name, value in pairs(read_options(text, place)) do
        options[name] = value
    end
    local verify = CLIENT_CERTIFICATES[options.verify or "none"]
        or fail(place, 'option "verify": found "%s", expected none, optional or required',
            options.verify)
    local minimum = options["ssl-min-ver"]
    local version = not minimum and 0 or TLS_VERSIONS[minimum]
        or fail(place, 'option "ssl-min-ver": found "%s", expected TLSv1.0 to TLSv1.3', minimum)
    local ca = verify == CLIENT_CERTIFICATES.none and 0 or client_ca(reader, options, place)
    local others = {}
    for name, value in pairs(options) do
        if not POLICY[name] then
            others[#others + 1] = name .. "\0" .. value
        end
    end
    table.sort(others)
    local other = number_of(reader.others, table.concat(others, "\0"))
    local group, problem = reader.set:policy(verify, version, ca, other)
    return group or fail(place, "%s", problem)
end

local function add_name(reader, name, group, place)
    name = name:lower()
    if name == "*" or name:find("*", 2, true) then
        fail(place, 'server name "%s": expected a name, or "*." and a name', name)
    end
    local known = reader.known[name]
    if known then
        -- Another certificate of the same name, as RSA beside ECDSA.
        return known.group == group
            or fail(place, 'server name "%s": expected the TLS policy that it has at %s', name,
                known.place)
    end
    reader.names[#reader.names + 1] = name
    reader.known[name] = { group = group, place = place }
    local added, problem = reader.set:name(name, #reader.names, group)
    return added or fail(place, 'server name "%s": %s', name, problem)
end

local function read_names(reader, certificate, text, group, place)
    local has_filter = false
    for name in text:gmatch("%S+") do
        has_filter = true
        if name:sub(1, 1) ~= "!" then
            add_name(reader, name, group, place)
        elseif name:sub(2, 2) ~= "*" then
            reader.excluded[#reader.excluded + 1] = { name = name:sub(2):lower(), place = place }
        end
    end
    if not has_filter then
        local path = in_folder(certificate, reader.config.crt_base)
        local names, problem = native.certificate_names(path)
        for _, name in ipairs(names or fail(place, 'cannot read "%s": %s', path, problem)) do
            add_name(reader, name, group, place)
        end
    end
end

local function read_line(reader, line, place)
    local certificate, options, names = line:match("^%s*([^%s%[%]]+)%s*%[([^%[%]]*)%]([^%[%]]*)$")
    if not certificate then
        certificate, names = line:match("^%s*([^%s%[%]]+)([^%[%]]*)$")
        options = ""
    end
    if not certificate then
        return line:find("%S")
            and fail(place, 'found "%s", expected CERTIFICATE [OPTIONS] NAMES', line)
    end
    local group = read_group(reader, options, place)
    -- HAProxy's default certificate is the first one.
    reader.default_group = reader.default_group or group
    read_names(reader, certificate, names, group, place)
end

-- Returns the set of a crt-list, and the names by their numbers.
local function read_crt_list(config)
    local path = config.crt_list
    local file = io.open(path) or fail(path, "cannot read the crt-list")
    local set = native.new(config.mode == "observe", config.connect == "extended",
        config.unknown == "application")
    local reader = { config = config, set = set }
    for _, field in ipairs({ "cas", "others", "names", "known", "excluded" }) do
        reader[field] = {}
    end
    local number = 0
    for line in file:lines() do
        number = number + 1
        if line:sub(1, 1) ~= "#" then
            read_line(reader, line, path .. ":" .. number)
        end
    end
    file:close()
    for _, one in ipairs(reader.excluded) do
        -- HAProxy would look for the name in other lines, which have no policy for it here.
        if not reader.known[one.name] then
            fail(one.place, 'server name "!%s": expected a line that has this name', one.name)
        end
    end
    if not reader.default_group then
        fail(path, "found no certificate, expected at least one")
    end
    local built, problem = reader.set:build(reader.default_group, table.unpack(config.ports))
    return built and reader.set or fail(path, "%s", problem), reader.names
end

local presented, presented_count = {}, 0

-- Returns the names of the certificate that the server presented; nil is none.
local function presented_names(der)
    if der and presented[der] == nil then
        if presented_count == PRESENTED_MAX then
            presented, presented_count = {}, 0
        end
        presented[der] = native.identifiers(der) or false
        presented_count = presented_count + 1
    end
    return der and presented[der] or nil
end

-- A fetch of a boolean gives 1 or 0, or true or false in later versions.
local function is_true(value)
    return value == 1 or value == true
end

-- The methods of the C library. HAProxy shows the extended CONNECT of HTTP/2 as a GET with an
-- Upgrade field, which no other request of HTTP/2 can have (RFC 9113 §8.2.2).
local ORDINARY, CONNECT, EXTENDED_CONNECT = 0, 1, 2

local function method_of(fetch)
    if fetch:method() == "CONNECT" then
        return CONNECT
    end
    local version = fetch:req_ver()
    local is_upgrade = version ~= "1.0" and version ~= "1.1" and fetch:req_fhdr_cnt("upgrade") ~= 0
    return is_upgrade and EXTENDED_CONNECT or ORDINARY
end

local function decide(set, names, txn)
    local fetch = txn.f
    local is_tls, is_resumed = is_true(fetch:ssl_fc()), is_true(fetch:ssl_fc_is_resumed())
    local client, chain, verify
    if is_true(fetch:ssl_c_used()) then
        -- A certificate that cannot be fetched is one that does not verify, and never none.
        client, verify = fetch:ssl_c_der() or "", fetch:ssl_c_verify()
        chain = not is_resumed and fetch:ssl_c_chain_der() or nil
    end
    local outcome, status, reason, number = set:decide(
        is_tls, fetch:ssl_fc_sni(), presented_names(fetch:ssl_f_der()), fetch:ssl_fc_protocol(),
        is_resumed, client, chain, verify,
        method_of(fetch), fetch:url(), fetch:req_fhdr("host"), fetch:req_fhdr_cnt("host") or 0)
    txn:set_var("txn.coalesce_status", status)
    txn:set_var("txn.coalesce_reason", reason)
    txn:set_var("txn.coalesce_name", number and names[number] or "")
    -- The last one, because the configuration serves nothing without it.
    txn:set_var("txn.coalesce_verdict", OUTCOMES[outcome])
end

local FIELDS = {
    crt_list = "string", bind = "string", ca_base = "string", crt_base = "string",
    ports = "table", mode = "string", connect = "string", unknown = "string", action = "string",
}
-- The values of a field; the first one is the default.
local CHOICES = {
    mode = { "enforce", "observe" },
    connect = { "refuse", "extended" },
    unknown = { "misdirected", "application" },
}

local function check(config)
    local function expect(good, message, ...)
        if not good then
            -- The place is the line that calls `register`.
            error(message:format(...), 4)
        end
    end
    for field, value in pairs(config) do
        local expected = FIELDS[field]
        expect(expected, 'field "%s": expected crt_list, bind, ca_base, crt_base, ports, mode, '
            .. "connect, unknown or action", field)
        expect(type(value) == expected, 'field "%s": found a %s, expected a %s', field, type(value),
            expected)
    end
    expect(config.crt_list, 'field "crt_list": found nothing, expected the file of the bind line')
    for field, choices in pairs(CHOICES) do
        local value = config[field] or choices[1]
        expect(value == choices[1] or value == choices[2],
            'field "%s": found "%s", expected %s or %s', field, value, choices[1], choices[2])
    end
    expect(#config.ports > 0, 'field "ports": found no port, expected at least one')
    for _, port in ipairs(config.ports) do
        local good = math.type(port) == "integer" and port >= 1 and port <= 65535
        expect(good, 'field "ports": found %s, expected 1 to 65535', port)
    end
end

-- Registers an action for the listeners of one crt-list.
local function register(config)
    config.ports = config.ports or { 443 }
    check(config)
    local set, names = read_crt_list(config)
    core.register_action(config.action or "coalesce", { "http-req" }, function(txn)
        decide(set, names, txn)
    end, 0)
end

return { register = register }
