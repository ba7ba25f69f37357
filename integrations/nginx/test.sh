#!/usr/bin/env bash
# Tests what the scenarios of the lab do not ask: patterns of server names, cleartext, HTTP/1.1, error pages,
# modes, ports, groups, variables in file names of certificates, and the errors of a configuration.
#
#   integrations/nginx/test.sh OUT
#
# OUT has the built module. Needs curl, openssl, and nginx of the package nginx-light.
set -euo pipefail

[ $# = 1 ] || {
    echo "test.sh: expected one argument, the folder of the built module" >&2
    exit 2
}
module=$(cd "$1" && pwd)/ngx_http_coalesce_module.so
PATH=$PATH:/usr/sbin
address=127.0.3.21
work=$(mktemp -d)
chmod 755 "$work"
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
failures=0

# Makes the certificate $1 for the names that follow.
certify() {
    local name=$1 names
    shift
    names=$(printf ',DNS:%s' "$@")
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "/CN=$name" \
        -addext "subjectAltName=${names#,}" -keyout "$work/$name.key" -out "$work/$name.pem" 2>/dev/null
    chmod 644 "$work/$name.key"
}
certify one a.test b.test x.test '*.wild.test' off.test
certify c.test c.test
certify d.test d.test

# Writes nginx.conf: $1 is the content of its block `http`.
configure() {
    cat >"$work/nginx.conf" <<END
load_module $module;
daemon off;
worker_processes 1;
pid $work/nginx.pid;
error_log stderr error;
events {}
http {
    log_format decided '\$coalesce_verdict \$coalesce_reason';
    access_log $work/access.log decided;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    ssl_certificate $work/one.pem;
    ssl_certificate_key $work/one.key;
    $1
}
END
}

configure "
    coalesce on;
    server {
        listen $address:8443 ssl http2 default_server;
        listen $address:8080;
        server_name a.test _;
        error_page 421 /sorry;
        location = /sorry { return 200 sorry; }
        location / { return 200 a; }
    }
    server {
        listen $address:8443 ssl http2;
        listen $address:8080;
        server_name ~^(b|y)\.test\$ x.*;
        location / { return 200 pattern; }
    }
    server {
        listen $address:8443 ssl http2;
        server_name .wild.test;
        coalesce_group wild;
        location / { return 200 wild; }
    }
    server {
        listen $address:8443 ssl http2;
        server_name off.test;
        coalesce off;
        location / { return 200 off; }
    }
    server {
        listen $address:8444 ssl http2;
        server_name a.test;
        coalesce observe;
        location / { return 200 observed-a; }
    }
    server {
        listen $address:8444 ssl http2;
        server_name c.test;
        coalesce observe;
        ssl_certificate $work/c.test.pem;
        ssl_certificate_key $work/c.test.key;
        location / { return 200 observed-c; }
    }
    server {
        listen $address:8445 ssl http2;
        coalesce_ports 443 444;
        server_name ~.;
        ssl_certificate $work/\$ssl_server_name.pem;
        ssl_certificate_key $work/\$ssl_server_name.key;
        location / { return 200 any; }
    }
"
nginx -c "$work/nginx.conf" -p "$work" -e stderr >"$work/output" 2>&1 &
server=$!
for _ in $(seq 300); do
    (: >"/dev/tcp/$address/8443") 2>/dev/null && break
    sleep 0.1
done

# Compares the answer of a request with the expected content, status and log line.
#   check EXPECTED SERVER-NAME:PORT AUTHORITY [ARGUMENTS OF CURL]
check() {
    local expected=$1 to=$2 authority=$3 found
    shift 3
    : >"$work/access.log"
    found=$(curl -sk -o "$work/body.txt" -w '%{http_code}' --connect-to "::$address:${to#*:}" \
        -H "Host: $authority" "$@" "https://${to%:*}/")
    found="$found $(head -c 20 "$work/body.txt" | grep -o '^[a-z-]*') $(cat "$work/access.log")"
    [ "$found" = "$expected" ] || {
        echo "test.sh: $to, $authority $*: found \"$found\", expected \"$expected\"" >&2
        failures=$((failures + 1))
    }
}

check '200 a serve -' a.test:8443 a.test:8443
check '200 a serve -' a.test:8443 a.test:8443 --http1.1
check '421 sorry misdirected unknown_authority' a.test:8443 c.test:8443
check '421 sorry misdirected unknown_authority' a.test:8443 c.test:8443 --http1.1
check '421 sorry misdirected unknown_authority' a.test:8443 _:8443
check '421 sorry misdirected port' a.test:8443 a.test
check '200 pattern serve -' a.test:8443 b.test:8443
check '200 pattern serve -' b.test:8443 b.test:8443
check '200 pattern serve -' a.test:8443 x.test:8443
check '421  misdirected certificate' a.test:8443 y.test:8443
check '421  misdirected group' a.test:8443 www.wild.test:8443
check '200 wild serve -' www.wild.test:8443 www.wild.test:8443
check '421 sorry misdirected group' www.wild.test:8443 a.test:8443
check '200 off - -' a.test:8443 off.test:8443
check '200 observed-a serve -' a.test:8444 a.test:8444
check '200 observed-a observed port' a.test:8444 a.test
check '200 observed-c observed certificate' a.test:8444 c.test:8444
check '421  misdirected unknown_authority' a.test:8444 d.test:8444
check '200 any serve -' c.test:8445 c.test
check '200 any serve -' c.test:8445 c.test:444
check '421  misdirected port' c.test:8445 c.test:8445
check '421  misdirected certificate' c.test:8445 d.test

# The same in cleartext: $2 is the target, for a proxy if it is absolute.
check_clear() {
    local expected=$1 found
    shift
    : >"$work/access.log"
    found="$(curl -s -o /dev/null -w '%{http_code}' "$@") $(cat "$work/access.log")"
    [ "$found" = "$expected" ] || {
        echo "test.sh: $*: found \"$found\", expected \"$expected\"" >&2
        failures=$((failures + 1))
    }
}

to=http://$address:8080
check_clear '200 serve -' -H 'Host: a.test:8080' $to/
check_clear '200 serve -' -H 'Host: b.test:8080' $to/
check_clear '421 misdirected unknown_authority' -H 'Host: c.test:8080' $to/
check_clear '421 misdirected port' -H 'Host: a.test' $to/
check_clear '400 malformed no_authority' --http1.0 -H 'Host:' $to/
check_clear '200 serve -' -x $to http://a.test:8080/
check_clear '200 serve -' -x $to http://a.test:8080?query
check_clear '421 misdirected port' -x $to http://a.test:81/
check_clear '400 malformed host_differs' -x $to -H 'Host: b.test:8080' http://a.test:8080/

# Checks that a configuration is refused: $1 is its content, $2 a part of the message.
refuses() {
    configure "$1"
    if nginx -t -c "$work/nginx.conf" -p "$work" -e stderr >"$work/messages" 2>&1 ||
        ! grep -F "$2" "$work/messages" | grep -q "nginx.conf:[0-9]"; then
        echo "test.sh: \"$1\": expected \"$2\" with a line, found:" >&2
        cat "$work/messages" >&2
        failures=$((failures + 1))
    fi
}

listen="listen $address:9999 ssl;"
echo nothing >"$work/table"
refuses 'coalesce maybe;' 'found "maybe", expected "on", "off" or "observe"'
refuses 'coalesce_ports 443 0;' 'found "0" as number 2, expected'
refuses "coalesce_table $work/missing;" 'cannot read'
refuses "coalesce_table $work;" 'cannot read'
refuses "coalesce_table $work/table;" 'not a compiled table'
refuses "coalesce_table $work/table g=1;" 'found "g=1", expected "group="'
refuses "coalesce on; server { $listen server_name a..test; }" 'server name "a..test"'
configure "coalesce on; server { $listen server_name [::1] 192.0.2.1 _ -- .a.test *.a.test; }"
nginx -t -c "$work/nginx.conf" -p "$work" -e stderr 2>"$work/messages" || {
    cat "$work/messages" >&2
    failures=$((failures + 1))
}

[ "$failures" = 0 ] || {
    echo "test.sh: $failures failed" >&2
    exit 1
}
echo "test.sh: passed"
