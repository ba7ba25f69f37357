-- What the action decides on the facts that HAProxy gives.

local harness = require("harness")

harness.register([[
@server.pem a.test b.test *.wild.test
@server.pem [curves P-256] curves.wild.test
@server.pem [ssl-min-ver TLSv1.3] new.test
@server.pem [verify required ca-file @ca.pem] m.test
@server.pem [verify required ca-file @other-ca.pem] m2.test
@server.pem [verify optional ca-file @ca.pem] o.test
@server.pem [verify required ca-file @ca.pem crl-file @crl.pem] l.test
]])

-- A certificate for all of these names.
local certificate = harness.read("server.der")
local client, below = harness.read("client.der"), harness.read("client-below.der")
local other_client, revoked = harness.read("other-client.der"), harness.read("revoked.der")

local function facts(changes)
    local all = {
        ssl_fc = 1, ssl_fc_is_resumed = 0, ssl_fc_sni = "a.test", ssl_f_der = certificate,
        ssl_fc_protocol = "TLSv1.3", ssl_c_used = 0, ssl_c_verify = 0, method = "GET",
        url = "https://a.test/", req_ver = "2.0", ["req_fhdr host"] = "a.test",
        ["req_fhdr_cnt host"] = 1, ["req_fhdr_cnt upgrade"] = 0,
    }
    for name, value in pairs(changes) do
        all[name] = value
    end
    return all
end

local function target(host, changes)
    changes.url, changes["req_fhdr host"] = "https://" .. host .. "/", host
    return changes
end

local function expect(verdict, what, changes, reason, name)
    local found = harness.run(facts(changes))
    harness.equal(found.verdict, verdict, what)
    if reason then
        harness.equal(found.reason, reason, what)
    end
    if name then
        harness.equal(found.name, name, what)
    end
end

expect("serve", "own host", {}, "", "a.test")
expect("serve", "neighbour", target("b.test", {}), "", "b.test")
expect("serve", "below the wildcard", target("x.wild.test", {}), "", "*.wild.test")
expect("serve", "capitals and port", target("B.Test:443", {}), "", "b.test")
expect("serve", "no server name", { ssl_fc_sni = false })
expect("misdirected", "other options", target("curves.wild.test", {}), "group")
expect("misdirected", "unknown host", target("c.test", {}))
expect("misdirected", "another port", target("b.test:8443", {}))
expect("misdirected", "another scheme", { url = "http://a.test/" })
expect("malformed", "two Host fields", { url = "/", ["req_fhdr_cnt host"] = 2 })
expect("malformed", "no host", { url = "/", ["req_fhdr host"] = false, ["req_fhdr_cnt host"] = 0 })
expect("malformed", "user information", target("user@a.test", {}))
expect("malformed", "a delimiter inside of :authority", target("a.test/", {}))
expect("malformed", "CONNECT", { method = "CONNECT", url = "a.test:443" })
expect("malformed", "extended CONNECT", { ["req_fhdr_cnt upgrade"] = 1 })
expect("serve", "HTTP/1.1, upgrade", { req_ver = "1.1", url = "/", ["req_fhdr_cnt upgrade"] = 1 })
expect("serve", "HTTP/1.1", { req_ver = "1.1", url = "/x?y=://b.test/" }, "", "a.test")
expect("misdirected", "no presented certificate", { ssl_f_der = false }, "certificate")
expect("misdirected", "a presented certificate that is none", { ssl_f_der = "x" }, "certificate")
expect("misdirected", "an older TLS version",
    { ssl_fc_sni = "new.test", ssl_fc_protocol = "TLSv1.2" })

-- Client certificates: on each of these connections, a request for its server name.
local function expect_client(verdict, what, name, der, changes)
    changes = target(name, changes or {})
    changes.ssl_fc_sni, changes.ssl_f_der = name, changes.ssl_f_der or harness.read("inner.der")
    changes.ssl_c_used, changes.ssl_c_der = der ~= nil and 1 or 0, der
    expect(verdict, what, changes, verdict == "serve" and "" or "group")
end

expect_client("serve", "required, of this CA", "m.test", client)
expect_client("serve", "required, of this CA, resumed", "m.test", client, { ssl_fc_is_resumed = 1 })
expect_client("misdirected", "required, none given", "m.test", nil)
expect_client("misdirected", "required, none given, resumed", "m.test", nil,
    { ssl_fc_is_resumed = 1 })
expect_client("misdirected", "required, of another CA", "m.test", other_client)
expect_client("serve", "required, of the other CA, at its host", "m2.test", other_client)
expect_client("misdirected", "resumed at the neighbour", "m.test", other_client,
    { ssl_fc_is_resumed = 1 })
expect_client("misdirected", "resumed at the other one", "m2.test", client,
    { ssl_fc_is_resumed = 1 })
expect_client("misdirected", "required, not verified", "m.test", client, { ssl_c_verify = 10 })
expect_client("misdirected", "required, not fetched", "m.test", false)
expect_client("misdirected", "required, no certificate", "m.test", "x")

-- OpenSSL gives the server name of a TLS 1.2 session. Only a certificate of its line shows that the
-- ClientHello had the same one.
local function expect_tls12(verdict, what, der, is_resumed)
    expect_client(verdict, what, "m.test", client,
        { ssl_fc_protocol = "TLSv1.2", ssl_fc_is_resumed = is_resumed, ssl_f_der = der })
end
expect_tls12("misdirected", "TLS 1.2, resumed, no full handshake before", nil, 1)
expect_tls12("serve", "TLS 1.2", nil, 0)
expect_tls12("serve", "TLS 1.2, resumed", nil, 1)
expect_tls12("misdirected", "TLS 1.2, resumed under another name", harness.read("all.der"), 1)

-- The session has no chain, so the full handshake must have proved it before.
local resumed = { ssl_fc_is_resumed = 1 }
expect_client("misdirected", "below an unknown CA, resumed", "m.test", below, resumed)
local chain = harness.read("below.der") .. "x"
expect_client("serve", "below an unknown CA", "m.test", below, { ssl_c_chain_der = chain })
expect_client("serve", "below a known CA, resumed", "m.test", below, { ssl_fc_is_resumed = 1 })
expect_client("misdirected", "below a known CA, at the neighbour", "m2.test", below,
    { ssl_fc_is_resumed = 1 })

-- The list belongs to one of two lines with the same client CA.
expect_client("serve", "revoked, no list", "m.test", revoked)
expect_client("misdirected", "revoked, resumed", "l.test", revoked, { ssl_fc_is_resumed = 1 })
expect_client("serve", "not revoked", "l.test", client)

expect_client("serve", "optional, none given", "o.test", nil)
expect_client("serve", "optional, none given, resumed", "o.test", nil, { ssl_fc_is_resumed = 1 })
expect_client("serve", "optional, of this CA", "o.test", client)
expect_client("misdirected", "optional, not fetched", "o.test", false)
expect_client("misdirected", "optional, of another CA", "o.test", other_client)

local given = { ssl_c_used = 1, ssl_c_der = client }
expect("misdirected", "a certificate that this policy did not ask for", given, "group")
given.ssl_fc_is_resumed = 1
expect("serve", "a resumed session with a certificate, not asked", given)
expect("misdirected", "from there to the host that asks", target("m.test", given))

-- Observing serves what it notes, but nothing across client certificates.
harness.register("@server.pem a.test b.test\n@server.pem [verify required ca-file @ca.pem] m.test",
    { mode = "observe", action = "observe" })
local function observe(host, der)
    return harness.run(facts(target(host, { ssl_f_der = der })), "observe")
end
harness.equal(observe("b.test", "x").verdict, "serve", "observed")
harness.equal(observe("b.test", "x").reason, "certificate", "observed")
harness.equal(observe("m.test", harness.read("inner.der")).verdict, "misdirected", "observed")

-- Choices.
harness.register("@server.pem a.test b.test\n",
    { action = "choices", connect = "extended", unknown = "application", ports = { 8443 } })
local function choose(changes)
    return harness.run(facts(changes), "choices")
end
local websocket = target("a.test:8443", { ["req_fhdr_cnt upgrade"] = 1 })
harness.equal(choose(websocket).verdict, "serve", "WebSocket")
harness.equal(choose(target("c.test:8443", {})).verdict, "serve", "unknown host")
harness.equal(choose(target("c.test:8443", {})).name, "", "unknown host")
harness.equal(choose({}).verdict, "misdirected", "another port")

-- A connection without TLS.
harness.register("@server.pem a.test\n", { ports = { 80 }, action = "plain" })
local plain = {
    method = "GET", url = "/", req_ver = "1.1", ["req_fhdr host"] = "a.test",
    ["req_fhdr_cnt host"] = 1,
}
harness.equal(harness.run(plain, "plain").verdict, "serve", "without TLS")
plain["req_fhdr host"] = "b.test"
harness.equal(harness.run(plain, "plain").verdict, "misdirected", "without TLS")
print("decision.lua: ok")
