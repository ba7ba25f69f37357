#!/usr/bin/env bash
# Counts the instructions that nginx spends on a request over HTTP/2, with the module and without it.
#
#   integrations/nginx/measure.sh OUT
#
# OUT has the built module. nginx runs as one process under callgrind, and answers 500 requests in one run
# and 4,500 in another, on one connection, one after the other. The difference of the counts, divided by 4,000, is
# the cost of a request. Needs the packages nginx-light, nghttp2-client, openssl and valgrind.
set -euo pipefail

[ $# = 1 ] || {
    echo "measure.sh: expected one argument, the folder of the built module" >&2
    exit 2
}
module=$(cd "$1" && pwd)/ngx_http_coalesce_module.so
PATH=$PATH:/usr/sbin
port=${PORT:-18443}
few=500 many=4500
work=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

for name in a b; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
        -subj "/CN=$name" -addext "subjectAltName=DNS:$name.test,DNS:shared.test" \
        -keyout "$work/$name.key" -out "$work/$name.pem" 2>/dev/null
done

# Writes the configuration: $1 is `with` or `without`.
configure() {
    local load='' decide=''
    if [ "$1" = with ]; then
        load="load_module $module;" decide='coalesce on;'
    fi
    cat >"$work/nginx.conf" <<END
$load
daemon off;
master_process off;
pid $work/nginx.pid;
error_log stderr error;
events {}
http {
    $decide
    access_log off;
    keepalive_requests 100000;
    ssl_protocols TLSv1.3;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    server {
        listen 127.0.0.1:$port ssl http2;
        server_name a.test;
        ssl_certificate $work/a.pem;
        ssl_certificate_key $work/a.key;
        location / { return 200 "hello world\n"; }
    }
    server {
        listen 127.0.0.1:$port ssl http2;
        server_name shared.test;
        ssl_certificate $work/a.pem;
        ssl_certificate_key $work/a.key;
        location / { return 200 "hello world\n"; }
    }
    server {
        listen 127.0.0.1:$port ssl http2;
        server_name b.test;
        ssl_certificate $work/b.pem;
        ssl_certificate_key $work/b.key;
        location / { return 200 "hello world\n"; }
    }
}
END
}

# Prints the instructions of one run: $1 requests, whose field :authority is $2.
count() {
    rm -f "$work/callgrind"
    ! (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
        echo "measure.sh: something listens on port $port already; set PORT" >&2
        exit 1
    }
    valgrind --tool=callgrind --callgrind-out-file="$work/callgrind" \
        nginx -c "$work/nginx.conf" -p "$work" -e stderr >"$work/log" 2>&1 &
    server=$!
    for _ in $(seq 600); do
        (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
        sleep 0.1
    done
    timeout 120 h2load -n "$1" -c 1 -m 1 -H ":authority: $2:$port" --connect-to "127.0.0.1:$port" \
        "https://a.test:$port/" >"$work/load"
    grep -q "requests: $1 total, $1 started, $1 done" "$work/load" || {
        cat "$work/load" "$work/log" >&2
        exit 1
    }
    grep '^status codes' "$work/load" >"$work/status"
    kill -QUIT "$server"
    # Under valgrind the signal does not end the wait for events. One more connection does.
    (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null || true
    wait "$server" || true
    server=
    awk '/^(totals|summary):/ { n = $2 } END { print n + 0 }' "$work/callgrind"
}

# Prints the instructions of one request.
cost() {
    configure "$1"
    local first second
    first=$(count $few "$2")
    second=$(count $many "$2")
    awk -v a="$first" -v b="$second" -v n=$((many - few)) 'BEGIN { printf "%.0f", (b - a) / n }'
}

printf '%-30s %9s %9s %8s\n' request without with more
for authority in a.test shared.test b.test; do
    without=$(cost without "$authority")
    with=$(cost with "$authority")
    more=$(awk -v a="$without" -v b="$with" 'BEGIN { printf "%+.2f %%", (b - a) * 100 / a }')
    printf '%-30s %9s %9s %8s   %s\n' "$authority" "$without" "$with" "$more" \
        "with: $(cat "$work/status")"
done
