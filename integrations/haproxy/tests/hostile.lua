-- Calls the C library with arguments of every kind, in every order. Each call returns or is a Lua
-- error; the sanitizers end the process otherwise.

local harness = require("harness")
local core = require("coalesce_core")

math.randomseed(tonumber(os.getenv("SEED")) or 1)
local calls = tonumber(os.getenv("CALLS")) or 200000

-- The first two have names.
local ders = {}
for _, name in ipairs({ "server", "inner", "client", "client-below", "below", "other-client" }) do
    ders[#ders + 1] = harness.read(name .. ".der")
end

-- Changes, cuts, or repeats some of a certificate.
local function broken(bytes)
    local at, kind = math.random(#bytes), math.random(4)
    if kind == 1 then
        return bytes:sub(1, at - 1) .. string.char(math.random(0, 255)) .. bytes:sub(at + 1)
    elseif kind == 2 then
        return bytes:sub(1, at)
    elseif kind == 3 then
        return bytes:sub(at)
    end
    return bytes .. bytes:sub(at)
end

local function new_set()
    local set = core.new(math.random(2) == 1)
    local ca = set:client_ca(nil, harness.folder .. "/ca.pem")
    for verify = 1, 3 do
        local group = set:policy(verify, 0, verify > 1 and ca or 0, verify)
        set:name(("h%d.test"):format(verify), verify, group)
    end
    if math.random(4) > 1 then
        set:build(math.random(3), 443)
    end
    return set
end

local sets, identifiers = {}, {}
local texts = {
    "", "\0", ".", "*", "*.", "h1.test", "h2.test:443", "H3.TEST.", "[::1]", "[", "://",
    "https://h1.test/", "https://", "http://h1.test:99999/?#", "a\0b", "/", "*.h1.test", "TLSv1.3",
    ("a"):rep(64), ("a."):rep(200), ("x"):rep(70000), "\xff\xfe", "@system-ca", "/dev/null", "/",
    harness.folder .. "/ca.pem", harness.folder .. "/server.pem", harness.folder .. "/server.key",
}
local numbers = {
    0, 1, 2, 3, 4, -1, 443, 65535, 65536, 0x303, 0xffffffff, 0x100000000, math.maxinteger,
    math.mininteger,
    0.5, 1 / 0, -1 / 0, 0 / 0, 1e300, "1", "-1", "0x10",
}

local function any()
    local kind = math.random(12)
    if kind <= 3 then
        return texts[math.random(#texts)]
    elseif kind <= 5 then
        return numbers[math.random(#numbers)]
    elseif kind == 6 then
        return ders[math.random(#ders)]
    elseif kind == 7 then
        return broken(ders[math.random(#ders)])
    elseif kind == 8 then
        return identifiers[math.random(#identifiers)]
    elseif kind == 9 then
        return ({ true, false, {}, print, io.stdout, coroutine.create(print) })[math.random(6)]
    elseif kind == 10 then
        return sets[math.random(#sets)]
    end
    return nil
end

local function some(count)
    local arguments = { n = count }
    for i = 1, count do
        arguments[i] = any()
    end
    return arguments
end

-- Arguments of the kinds that `set:decide` takes, some of them wrong.
local function decision()
    local function pick(...)
        return math.random(20) == 1 and any() or select(math.random(select("#", ...)), ...)
    end
    local function text()
        return texts[math.random(#texts)]
    end
    local function der()
        return math.random(3) == 1 and broken(ders[math.random(#ders)]) or ders[math.random(#ders)]
    end
    return table.pack(
        pick(true, false), pick(nil, text()), pick(nil, identifiers[math.random(#identifiers)]),
        pick("TLSv1.2", "TLSv1.3", nil), pick(true, false), pick(nil, der()),
        pick(nil, der() .. der()),
        pick(0, 1, nil), pick(0, 1, 2), pick(nil, text()), pick(nil, text()), pick(0, 1, 2))
end

local methods = { "client_ca", "policy", "name", "build", "decide", "__gc" }
local functions = { "new", "identifiers", "certificate_names" }
local decided = 0
for i = 1, calls do
    if i % 1000 == 1 then
        sets, identifiers = {}, {}
        for _ = 1, 8 do
            sets[#sets + 1] = new_set()
            identifiers[#identifiers + 1] = core.identifiers(ders[math.random(2)])
        end
        collectgarbage()
    end
    local kind = math.random(4)
    if kind == 1 then
        local arguments = some(math.random(0, 3))
        pcall(core[functions[math.random(#functions)]], table.unpack(arguments, 1, arguments.n))
    elseif kind == 2 then
        local method = methods[math.random(#methods - (math.random(50) == 1 and 0 or 1))]
        local arguments = some(math.random(0, 14))
        local set = math.random(20) == 1 and any() or sets[math.random(#sets)]
        pcall(sets[1][method], set, table.unpack(arguments, 1, arguments.n))
    else
        local arguments = decision()
        local good, outcome = pcall(sets[1].decide, sets[math.random(#sets)],
            table.unpack(arguments, 1, arguments.n))
        if good then
            assert(outcome >= 1 and outcome <= 3)
            decided = decided + 1
        end
    end
    if math.random(2000) == 1 then
        identifiers[1]:__gc()
    end
end
assert(decided > calls / 10, "too few calls came to a decision: " .. decided)
print(("hostile.lua: ok, %d calls, %d decisions"):format(calls, decided))
