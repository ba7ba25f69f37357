-- Errors in the crt-list and in the fields say the place and what was expected.

local harness = require("harness")

local function expect(problem, text, config)
    local good, message = pcall(harness.register, text, config)
    assert(not good, "no error: " .. problem)
    assert(message:find(problem, 1, true), ("found %s, expected %s"):format(message, problem))
end

expect('crt-list:2: option "verify": found no client CA', "#\n@server.pem [verify required] a\n")
expect('crt-list:1: option "verify": found "x", expected none',
    "@server.pem [verify x ca-file @ca.pem] a\n")
expect("no-such-ca.pem: expected files of certificates",
    "@server.pem [verify required ca-file @no-such-ca.pem] a\n")
expect("no-such-crl.pem: expected files of certificates",
    "@server.pem [verify required ca-file @ca.pem crl-file @no-such-crl.pem] a\n")
expect('crt-list:1: option "ca-file": found nothing', "@server.pem [verify required ca-file] a\n")
expect('crt-list:1: option "ssl-min-ver": found "TLS1"', "@server.pem [ssl-min-ver TLS1] a.test\n")
for _, line in ipairs({ "@server.pem [alpn h2 a", "@server.pem alpn h2] a",
    "@server.pem a [alpn h2] b", "@server.pem [alpn h2] [alpn h2] a", "[alpn h2] a" }) do
    expect("expected CERTIFICATE [OPTIONS] NAMES", line .. "\n")
end
for _, name in ipairs({ "*", "**.a.test", "a.*.test" }) do
    expect(('crt-list:1: server name "%s":'):format(name), ("@server.pem %s\n"):format(name))
end
expect('crt-list:2: server name "a.test": expected the TLS policy that it has at',
    "@server.pem a.test\n@server.pem [verify required ca-file @ca.pem] A.TEST\n")
expect('crt-list:1: server name "!a.test": expected a line', "@server.pem *.test !a.test\n")
expect('no-such.pem": expected a file with a certificate', "@no-such.pem\n")
expect("found no certificate", "\n# a comment\n")
local good = "@server.pem a.test\n"
expect('field "modes": expected crt_list', good, { modes = "x" })
expect('field "mode": found "x"', good, { mode = "x" })
expect('field "connect": found "any", expected refuse or extended', good, { connect = "any" })
expect('field "unknown": found "x"', good, { unknown = "x" })
expect('field "ports": found 0', good, { ports = { 0 } })
expect('field "ports": found no port', good, { ports = {} })
expect('field "ports": found a number, expected a table', good, { ports = 443 })
expect('field "bind": option "verify": found nothing', good, { bind = "verify" })

-- What HAProxy accepts, with names from the certificate, exclusions and a second certificate.
harness.register("@server.pem\n@server.pem [alpn h2] z.test\n")
harness.register("@server.pem !*\n@server.pem *.test !a.test\n@server.pem [verify none] a.test\n")
harness.register("@server.pem [alpn h2] a.test\n@server.pem [alpn h2] A.test b.test\n")
harness.register("server.pem [verify optional ca-file ca.pem] a.test\n",
    { crt_base = harness.folder, ca_base = harness.folder, ports = { 443, 8443 } })
print("crt_list.lua: ok")
