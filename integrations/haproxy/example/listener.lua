require("coalesce").register {
    crt_list = "/etc/haproxy/crt-list",
    -- The ports that clients connect to: behind NAT not those of the bind line.
    ports = { 443 },
    -- "observe" serves and notes what it would refuse, but nothing across client-certificate rules.
    mode = "enforce",
}
