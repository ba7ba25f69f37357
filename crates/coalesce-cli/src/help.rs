//! The texts of `--help`.

pub(crate) const ABOUT: &str =
    "Decides which authorities may share one HTTP/2 connection, and answers 421 to the rest";

pub(crate) const LONG_ABOUT: &str = "\
Decides which authorities may share one HTTP/2 connection, and answers 421 to the rest.

A browser that has a connection for a.example.test may send requests for b.example.test over it, if
the certificate of that connection covers b too (RFC 9113 §9.1.1). The server must refuse such a
request if another server has b, or if b demands a client certificate that this connection did not
show. It answers 421 (Misdirected Request, RFC 9110 §15.5.20), and the browser sends the request
again on a connection that it makes for b.

Each request is decided in eight steps; the first that fails is the reason:

  1 authority    the request names one well-formed authority            else 400, 405 or a reset
  2 scheme       the request has the scheme of the connection           else 421
  3 known        a virtual host has this name                           else 421
  4 port         the listener answers for this port                     else 421
  5 certificate  the presented certificate covers the host              else 421
  6 group        the virtual host is in the connection's group          else 421
  7 host_field   Host, if present, names the same authority             else 400 or a reset
  8 serve";

pub(crate) const AFTER: &str = "Use --help for the concepts, examples and exit codes.";

pub(crate) const AFTER_LONG: &str = "\
Examples:
  coalesce demo
  coalesce init --certificate cert.pem --key key.pem
  coalesce check site.toml
  coalesce serve --config site.toml
  coalesce explain --config site.toml --server-name api.example.test --authority cdn.example.test
  coalesce groups --config site.toml
  coalesce match --san 'DNS:*.example.test' a.example.test a.b.example.test
  coalesce match --certificate cert.pem a.example.test 192.0.2.1
  coalesce compile --config site.toml names.list -o names.table
  coalesce lookup names.table www.example.test
  coalesce compile --certificate cert.pem -o cert.ids
  coalesce get https://www.example.test/ https://img.example.test/

Exit codes:
  0  success: served, matched, answered, or ended on request
  1  the answer is no: check: a warning, with --deny-warnings; explain: not served; groups: two
     hosts may not share a connection; match: a host is not covered; lookup: a name has no entry;
     demo: a row failed; get: a URL has no whole answer or, with --fail, a status of 400 or more
  2  usage: the command line is wrong, or names a file (not the configuration) that cannot be read
  3  configuration: a configuration, a list, a certificate or a compiled file does not load; the
     error names file, line and field of each fault
  4  run time: an address cannot be bound, output or a table cannot be written

'coalesce COMMAND --help' describes each command; 'coalesce serve --help' describes the
configuration file.";

pub(crate) const INIT: &str = "\
Write a first configuration file, with comments.

The file has one listener and one virtual host. With --certificate, the virtual host gets the names
of the certificate. Without it, you replace the names and the paths. An existing file stays, unless
you use --force.";

pub(crate) const INIT_AFTER: &str = "\
Examples:
  coalesce init
  coalesce init --certificate cert.pem --key key.pem --listen '[::]:443'
  coalesce init -";

pub(crate) const COMPLETIONS_AFTER: &str = "\
Examples:
  coalesce completions bash > /usr/share/bash-completion/completions/coalesce
  coalesce completions zsh > /usr/share/zsh/site-functions/_coalesce
  coalesce completions fish > /usr/share/fish/vendor_completions.d/coalesce.fish";

pub(crate) const MAN_AFTER: &str = "\
Examples:
  coalesce man /usr/share/man/man1

The folder gets one page for the program, and one for each command, such as coalesce-serve.1.";

pub(crate) const CHECK: &str = "\
Check a configuration file, and show all errors and warnings, without a socket.

The command loads the configuration as 'coalesce serve' does, with its certificates, keys, CAs and
compiled table. It opens no socket, so it finds no address that is in use.

The exit code is 0 if the configuration is valid and 3 if it is not. With --deny-warnings it is 1 if
there is a warning.";

pub(crate) const CHECK_AFTER: &str = "\
Examples:
  coalesce check site.toml
  coalesce check site.toml --deny-warnings --json

JSON (--json):
  {\"file\":\"site.toml\",\"valid\":true,\"errors\":[],\"warnings\":[],
   \"listeners\":[\"127.0.0.1:8443\"],\"virtual_hosts\":2,\"groups\":1,\"names\":3,
   \"certificates\":[{\"not_after\":\"2027-01-30 12:00:00 UTC\",\"file\":\"certs/A.pem\"}]}

  errors, warnings  {\"file\":\"site.toml\",\"line\":15,\"place\":[\"virtual_host \\\"a\\\"\",\"key\"],
                     \"message\":\"...\"}; line is null if the whole file is meant
  names             with those of a compiled table
  certificates      the one that ends first comes first

If the configuration is not valid, the object has only the first four members.";

pub(crate) const GET: &str = "\
Fetch URLs in parallel, and show which requests shared which connection.

The client sends requests for several hosts on one HTTP/2 connection if the certificate is valid for
the host, the host has the connected address, and no other rule forbids it (RFC 9113 §9.1.1). After
a 421 it sends the request once more, on a connection for that host alone (RFC 9110 §15.5.20).

With one URL, standard output has the content, as with curl. With several URLs, and with --trace,
--json, --output or --output-folder, it has the report. The command does not follow redirects.

The exit code is 0 if every URL has a whole answer of any status, and 1 if one has none. With --fail
it is 1 for a status of 400 or more, too.";

pub(crate) const GET_AFTER: &str = "\
Examples:
  coalesce get https://www.example.test/ > page.html
  coalesce get https://www.example.test/ https://img.example.test/ https://api.example.test/
  coalesce get --trace https://www.example.test/ https://api.example.test/
  coalesce get --no-coalesce --json https://www.example.test/ https://img.example.test/
  coalesce get --cacert ca.pem --resolve '*:443:127.0.0.1:8443' -I https://www.example.test/

The report has a branch for each connection, and a row for each request on it: status, 'own' (the
connection was made for the origin) or 'shared', size, time, URL. A row with a 421 says where the
request was sent next. A request with a connection of its own says why it uses no other one, by the
code and the rule of the first check that failed. --trace adds every decision for every request.

JSON (--json), one document; later versions add members, and remove none:
  {\"requests\":[...],\"connections\":[...],\"summary\":{...}}

  requests     {\"url\":\"https://img.example.test/\",\"method\":\"GET\",\"status\":200,\"bytes\":4,
                \"milliseconds\":12,\"protocol\":\"HTTP/2\",\"connection\":1,
                \"peer\":\"192.0.2.1:443\",\"grounds\":\"covered\",\"retries\":0,\"file\":null,
                \"error\":null,\"trail\":[...],\"trail_left_out\":0}, in the order of the URLs
  status       null without an answer, as protocol, connection, peer and grounds
  milliseconds until the end of the content, or until the error
  grounds      why the connection may carry the request: same_origin, covered, origin_set, cleartext
  retries      the number of 421 answers after which the request was sent again
  file         the file with the content
  error        host, cause and advice, if there is no whole answer
  trail        {\"event\":\"refused\",\"connection\":1,\"code\":\"certificate\",\"description\":\"...\",
                \"rule\":\"RFC 9113 §9.1.1\"}; the event is eligible, refused, sent, misdirected,
               unprocessed or lost; connection is null while a connection is being made
  connections  {\"connection\":1,\"peer\":\"192.0.2.1:443\",\"protocol\":\"HTTP/2\",\"requests\":[0,1]}; the
               numbers are places in requests, from 0
  summary      {\"requests\":2,\"answered\":2,\"failed\":0,\"connections\":1,\"shared\":1,\"retried\":0}

Limits: 256 URLs; --max-filesize for each content; 64 MiB for --data @FILE.";

pub(crate) const DEMO: &str = "\
Show every verdict on made-up hosts.

The demo makes a small CA and certificates in a temporary folder and serves a few hosts on a
loopback port. A TLS and HTTP/2 client sends real requests to them. Each row shows the answer of the
server, and the reason that 'coalesce explain' gives, because no response contains a reason.

The exit code is 0 if every answer is the expected one, else 1.";

pub(crate) const SERVE: &str = "\
Serve the virtual hosts of a configuration file over HTTP/2 with TLS.

The server binds all listeners before it accepts the first connection. If it cannot bind one of
them, it ends. Each listener prints one line 'listening on ADDR' on standard output. After
SIGINT, SIGTERM or SIGQUIT, the server lets the open requests finish; after a second signal it ends
at once. The log has the reason of every 421. No response has it.

The server reads the configuration again on SIGHUP, and when one of its files changes (itself, a
certificate, a key, a CA, a compiled table). SIGHUP and SIGUSR1 open the access log again, so that
you can move its file. If the new configuration loads, it decides from the next request on.
Connections stay open with the certificate that they presented. If it does not load, the log has
every fault, and the previous configuration stays in use. To add, remove or move a listener, restart
the server. To replace a file, rename another one to its name, as 'coalesce compile' does.

A connection announces the hosts that it serves in ORIGIN frames (RFC 8336), and the new ones after
a reload. An origin set has no wildcards, and a client that honours it (Firefox) sends requests for
no other host. A connection therefore announces nothing if it also serves hosts that table and
certificate know by a wildcard only. announce_origins changes that; --no-origins announces nothing.

--admin or [admin] adds a listener for metrics and probes, and one line 'admin on ADDR' on standard
output. docs/operations.md and docs/observing.md list every limit, metric and log field.";

pub(crate) const CONFIGURATION: &str = "\
The configuration file (TOML; relative paths start at its folder):

  profile = \"gateway-api\"        # several listeners on one address, told apart by hostname, as in
                                 # the Kubernetes Gateway API (see below); default: none
  table = \"names.table\"          # a table that 'coalesce compile --config' made for this file: it
                                 # has the names below and others; default: the names below alone
  announce_origins = \"when-complete\"     # announce the hosts of a connection (ORIGIN, RFC 8336)
                                 # unless the announcement leaves out hosts below a wildcard; or
                                 # \"always\" (true), or \"never\" (false)

  [admin]
  address = \"127.0.0.1:9421\"    # metrics for Prometheus, at /metrics, and /livez and /readyz for
                                 # probes; default: no such listener
  hosts = [\"metrics.test\"]       # hosts that requests to it may name, beside localhost and the
                                 # address itself; default: none

  [[listener]]
  name = \"main\"                  # optional if there is one listener
  address = \"127.0.0.1:8443\"
  hostname = \"*.example.test\"    # with the profile: the hosts that it is responsible for, a name or
                                 # *.name (any depth); default: every host
  ports = [443, 8443]            # ports that requests may name; default: the bound port
  default_virtual_host = \"a\"     # its certificate and group serve a ClientHello without a server
                                 # name, or with an unknown name or an IP address; by default such
                                 # a ClientHello gets the alert unrecognized_name

  [[group]]                      # a coalescing group: one TLS policy, one set of hosts that may
  name = \"public\"                # share a connection
  client_ca = \"ca.pem\"           # demand a client certificate of this CA, or of one in a list of
                                 # files; default: ask for none
  client_certificate = \"required\"      # or \"optional\": ask, and accept none
  client_crl = [\"ca.crl\"]        # revocation lists (PEM, or one in DER), one for each CA; default:
                                 # nothing is revoked
  minimum_version = \"1.2\"        # or \"1.3\"
  maximum_version = \"1.3\"        # or \"1.2\"
  cipher_suites = [\"TLS_AES_128_GCM_SHA256\"]     # by their registered names, in any order: the
                                 # client chooses among them; default: all
  coalesce = \"certificate-and-group\"   # or \"strict-server-name\", or \"never\"
  unknown_authority = \"misdirected\"    # or \"not-found\", which is a 404
  listeners = [\"main\"]           # default: all
  isolate = false                # true: share connections with no other group, even an equal one
  observe = false                # true: serve and count requests that would get a 421, but none
                                 # across groups if one of them asks for client certificates

  [[virtual_host]]
  name = \"a\"
  names = [\"a.example.test\"]     # a name, *.name (one more label), **.name (any depth), an IP
                                 # address, or * (everything)
  certificate = \"certs/A.pem\"    # the chain, its own certificate first
  key = \"certs/A.key\"
  group = \"public\"               # default: the group \"default\", which needs no [[group]]
  coalesce = \"strict-server-name\"      # the policy of its own names; default: that of the group
  answer = { text = \"hello\\n\" }   # optional: status, content_type;
                                 # or { folder = \"public/\" }
                                 # or { upstream = \"http://127.0.0.1:3000\" }, or \"h2c://...\";
                                 # optional: client_certificate = \"none\" or \"chain\"

A virtual host without group may have the other fields of a group itself. Hosts with equal fields
share a group, and the fields are its name. Groups whose fields and files have the same content are
one group, unless one of them has isolate = true; 'coalesce groups' shows the result.

With profile = \"gateway-api\", listeners share an address. The listener with the most specific
hostname is responsible for a host. The server name chooses the listener, and a request for a host
of another listener gets a 421. An authority that no virtual host has gets a 404, unless another
listener is responsible for it; with unknown_authority = \"misdirected\" it always gets a 421. In
names and hostnames, *.name matches names of any depth.

If a file cannot be read, or lacks the expected content, the server refuses the configuration.

A connection stays in the group of its server name: no request on it reaches a virtual host of
another group.";

pub(crate) const GROUPS: &str = "\
Show which virtual hosts may share a connection, and why others may not, without a socket.

For each coalescing group, the report has its policy and its connections. It judges every server
name by the code that serves. Server names that lead to the same certificate and may carry the
same names are one row. Then the report lists the fields that keep each two groups apart. Long
lists are cut, and --json is complete. The report has the names of the configuration, and not
those that only a compiled table has.

With HOSTs, the command compares each two of them: may a connection that was made for the first
carry requests for the second? The exit code is 0 if all may, else 1.";

pub(crate) const GROUPS_AFTER: &str = "\
Examples:
  coalesce groups --config site.toml
  coalesce groups --config site.toml a.example.test m.example.test

JSON (--json):
  {\"groups\":[{\"name\":\"public\",\"also\":[\"default\"],\"policy\":{\"client_certificate\":\"none\",..},
    \"own_coalesce\":{\"never\":[\"b.example.test\"]},
    \"connections\":[{\"listener\":\"main\",\"certificate\":\"certs/A.pem\",
      \"server_names\":[\"a.example.test\"],\"may_carry\":[\"a.example.test\"],
      \"server_name_only\":[\"*.example.test\"],\"may_not\":{\"certificate\":[\"c.example.test\"]},
      \"announces_origins\":false,\"origins_left_out\":[\"*.example.test\"]}]}],
   \"apart\":[{\"groups\":[\"public\",\"m\"],
     \"because\":[{\"field\":\"client_certificate\",\"values\":[\"none\",\"required\"]}]}],
   \"overlaps\":[{\"listener\":\"foo\",\"reason\":\"OverlappingHostnames\",\"with\":[\"wild\"]}]}

JSON with HOSTs, one object for each pair and listener:
  {\"listener\":\"main\",\"connection\":\"a.example.test\",\"request\":\"m.example.test\",
   \"shares\":false,\"reason\":\"group\",
   \"because\":[{\"field\":\"client_certificate\",\"values\":[\"none\",\"required\"]}]}

  also       names of groups in the file that are equal to this one, so they are one group
  policy     the fields of the configuration with their values, defaults included
  own_coalesce  names that are stricter than the group, or less strict
  may_carry  names of the group that each of these connections may carry
  server_name_only  wildcards of which a connection may carry its own server name and no other host;
             absent if there are none
  origins_left_out  wildcards whose hosts an origin set leaves out (RFC 8336); absent if there are
             none
  announces_origins  true if the connections announce their origins all the same; absent without
             origins_left_out
  may_not    names of the group that none of them may carry, by the reason code of the 421
  because    the fields that differ, with the values of the two groups
  overlaps   listeners that share a port and overlap, with the reason of the Gateway API's condition
             OverlappingTLSConfig; loading warns of each";

pub(crate) const EXPLAIN: &str = "\
Show the verdict on one request on one connection, and the reason, without a socket.

The server name chooses certificate and group as a ClientHello does. Then the code that serves
decides the request. --authority is the :authority field that a client sends: without a port it
means the scheme's default port, 443.

A URL sets the authority and the scheme of the request. Without --server-name, the connection is one
that a client makes for this URL. Path and query make no difference. If there are several listeners,
the URL's port chooses the only one that answers for it, unless --listener names one.

A refused request has hints: the nearest name, the ports of the listener, the certificates that
cover the host, the group of its virtual host, the verdict on a connection that is made for the
host.

By default, the handshake of the connection is completed. --client-certificate adds the handshake to
the question: if the group demands a client certificate, and this one does not verify or is missing,
the verdict is 'refused'.

For port 0 in the configuration, the system chooses the port at the start. Until then the listener
answers for 443, unless 'ports' says otherwise.";

pub(crate) const EXPLAIN_AFTER: &str = "\
Examples:
  coalesce explain site.toml https://b.example.test:8443/
  coalesce explain site.toml https://b.example.test:8443/ --server-name a.example.test
  coalesce explain --config site.toml --server-name api.example.test --authority cdn.example.test

JSON (--json, and one per line with --batch):
  {\"verdict\":\"misdirected\",\"reason\":\"certificate\",\"status\":421,\"virtual_host\":null,
   \"group\":\"default\",\"rule\":\"RFC 9110 §7.4, RFC 9113 §9.1.1\",\"step\":5,
   \"hints\":[\"cdn.example.test is covered by certs/CDN.pem\"]}

  verdict       serve, misdirected, malformed, or refused if there is no connection
  reason        served or unlisted, else the code of the refusal, which never changes
  status        the status that the client gets; null when refused
  virtual_host  the virtual host that serves the request, else null
  group         the group of the connection; null when refused
  step          the number of the deciding step; null when refused
  observed      the reason of the 421 that the request would get if its group were not observed
  reset         PROTOCOL_ERROR, where HTTP/2 resets the stream instead of sending the status
  hints         sentences that help with a refused request; absent with --batch

Batch input: every member is optional, and null is the same as absent. For client_certificate, null
means that the client sends no certificate:
  {\"server_name\":\"api.example.test\",\"authority\":\"cdn.example.test\",\"host\":\"..\" or [..],
   \"scheme\":\"https\",\"method\":\"GET\",\"protocol\":\"websocket\",\"client_certificate\":FILE}

A bad line gets {\"error\":\"...\",\"line\":N}, and the batch continues with the next line. The exit
code is 0.";

pub(crate) const MATCH: &str = "\
Show which hosts a certificate covers (RFC 9525).

A wildcard is the whole left-most label and matches exactly one label. Only an IP identifier
covers an address. The common name never counts, so a certificate without a subjectAltName covers
no host. The command ignores an identifier that breaks these rules, and reports it.";

pub(crate) const MATCH_AFTER: &str = "\
Examples:
  coalesce match --san 'DNS:*.example.test' --san 'IP:192.0.2.1' a.example.test 192.0.2.1
  coalesce match --certificate cert.pem --json a.example.test
  coalesce match --identifiers cert.ids a.example.test

Batch input and output:
  {\"san\":[\"DNS:*.example.test\",\"DNS:f*.example.test\"],\"host\":\"a.example.test\"}
  {\"matched\":\"DNS:*.example.test\",\"ignored\":[\"DNS:f*.example.test\"],\"error\":null}

A line that is no such object gets {\"error\":\"...\",\"line\":N}, and the batch continues with the
next line.

If several identifiers cover a host, the most specific one is named. The exit code is 0 if every
host is covered, else 1. A batch ends with 0.";

pub(crate) const COMPILE: &str = "\
Make a compiled table from a list of up to millions of names.

A compiled table is one file. A server reads it into memory and checks it once, and builds nothing.
The field 'table' of a configuration names the table to serve; 'coalesce inspect' and 'coalesce
lookup' read it. With 'map_table = true' the server maps the file and shares its memory. Such a file
must not change in place.

Each line of the list is an entry, in any order; '#' begins a comment, at the start of a line or
behind white space:

  PATTERN [VIRTUAL-HOST [GROUP]]

  PATTERN       a name, *.name (one more label), **.name (any depth), an IP address, or *
  VIRTUAL-HOST  with --config, the name of a virtual host of the configuration, whose certificate
                must cover the name; else a number, by default 0
  GROUP         with --config, the group of that virtual host (optional); else a number, by
                default 0

With --config, the table also has the names of the configuration. The list must not have them. The
table is for this configuration only: a configuration with other virtual hosts or groups, or with
the same ones in another order, refuses to load it.

The command reports the first hundred faults, each with its line: a line that is no entry, a
duplicate (the same name with the same values), and a conflict (the same name with other values).
A duplicate or a conflict is reported with both lines. If there is a fault, the command writes
nothing. Otherwise it writes the whole table to the disk and then renames it into place, where
'coalesce serve' finds it.

With --certificate the command makes an identifier set instead: the names that the certificate
covers, for a server that has the C interface of the library and no certificate reader
(coalesce_identifiers_from_static). It warns of names that never match, and refuses a certificate
without any name that can. 'coalesce inspect' and 'coalesce match --identifiers' read such a set. A
table does not replace a set, nor a set a table.

Work that takes longer than two seconds shows a progress bar if standard error is a terminal. -v
logs the progress otherwise, and -q shows none.";

pub(crate) const COMPILE_AFTER: &str = "\
Examples:
  coalesce compile names.list -o names.table
  coalesce compile --config site.toml names.list -o names.table --layout compact
  sort -u names.list | coalesce compile - -o names.table --json
  coalesce compile --certificate cert.pem -o cert.ids

JSON (--json):
  {\"table\":\"names.table\",\"names\":3,\"bytes\":225,\"bytes_per_name\":75.0,\"layout\":\"fast\",
   \"checksum\":\"3f0c7a1de52b9648\",\"seconds\":0.01}

JSON, with --certificate:
  {\"identifiers\":\"cert.ids\",\"names\":2,\"ignored\":[\"DNS:f*.example.test\"],\"bytes\":225,
   \"checksum\":\"3f0c7a1de52b9648\"}";

pub(crate) const INSPECT: &str = "\
Show the contents of a compiled table or of an identifier set, and check them.

The command checks the whole file first. If the file is not valid, the exit code is 3, and the
error names the fault. The depth is the greatest number of labels in a name.

--names lists the entries as 'coalesce compile' reads them, with the numbers of virtual host and
group: names by their labels from the right, each before those below it, then addresses. For a set
it lists the identifiers in the same order, as 'coalesce match --san' reads them.";

pub(crate) const INSPECT_AFTER: &str = "\
Examples:
  coalesce inspect names.table
  coalesce inspect names.table --names --below example.test
  coalesce inspect names.table --names --json
  coalesce inspect cert.ids

JSON (--json), without --names:
  {\"table\":\"names.table\",\"kind\":\"authority table\",\"layout\":\"fast\",\"names\":3,\"exact\":2,
   \"one_label\":1,\"any_depth\":0,\"addresses\":0,\"catch_all\":0,\"virtual_hosts\":1,\"groups\":1,
   \"depth\":3,\"longest\":\"www.example.test\",\"bytes\":225,\"bytes_per_name\":75.0,
   \"checksum\":\"3f0c7a1de52b9648\"}

JSON of an identifier set:
  {\"identifiers\":\"cert.ids\",\"kind\":\"identifier set\",\"names\":2,\"exact\":1,\"one_label\":1,
   \"addresses\":0,\"bytes\":225,\"checksum\":\"3f0c7a1de52b9648\"}

JSON, one per entry with --names, of a table and of a set:
  {\"pattern\":\"*.example.test\",\"virtual_host\":0,\"group\":0}
  {\"identifier\":\"DNS:*.example.test\"}";

pub(crate) const LOOKUP: &str = "\
Show the most specific entry of a compiled table that matches a name, as for each request.

Names are authorities of requests: case, one trailing dot and a port make no difference.";

pub(crate) const LOOKUP_AFTER: &str = "\
Examples:
  coalesce lookup names.table www.example.test 192.0.2.1
  coalesce lookup names.table --json WWW.example.test:8443
  coalesce inspect names.table --names | cut -d' ' -f1 | coalesce lookup names.table --batch -

JSON (--json), one per authority:
  {\"name\":\"www.example.test\",\"pattern\":\"*.example.test\",\"virtual_host\":0,\"group\":0}

If no entry matches, the last three are null. A batch has one line of output for each line of
input. A line that is no authority gets 'line N: ...', or with --json {\"error\":\"...\",\"line\":N},
and the batch continues with the next line.

The exit code is 0 if every name has an entry, else 1. A batch ends with 0.";
