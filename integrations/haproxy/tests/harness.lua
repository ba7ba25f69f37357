-- HAProxy's part of the Lua interface, as far as coalesce.lua uses it.

local harness = { folder = arg[1] }

local registered = {}
core = {
    register_action = function(name, _, action)
        registered[name] = action
    end,
}

function harness.read(name)
    local file = assert(io.open(harness.folder .. "/" .. name, "rb"))
    local bytes = file:read("a")
    file:close()
    return bytes
end

function harness.write(name, text)
    local file = assert(io.open(harness.folder .. "/" .. name, "wb"))
    file:write(text)
    file:close()
    return harness.folder .. "/" .. name
end

-- Registers an action for a crt-list with this text. `@` is the folder of the certificates.
function harness.register(text, config)
    config = config or {}
    config.crt_list = harness.write("crt-list", (text:gsub("@", harness.folder .. "/")))
    package.loaded.coalesce = nil
    require("coalesce").register(config)
end

-- Runs an action on the values of fetches, by name, or by name and argument. Returns the variables
-- that it sets.
function harness.run(fetches, action)
    local variables = {}
    local fetch = setmetatable({}, {
        __index = function(_, name)
            return function(_, argument)
                return fetches[argument and name .. " " .. argument or name] or nil
            end
        end,
    })
    registered[action or "coalesce"]({
        f = fetch,
        set_var = function(_, name, value)
            variables[name:gsub("^txn%.coalesce_", "")] = value
        end,
    })
    return variables
end

function harness.equal(found, expected, what)
    if found ~= expected then
        error(("%s: found %s, expected %s"):format(what, tostring(found), tostring(expected)), 2)
    end
end

return harness
