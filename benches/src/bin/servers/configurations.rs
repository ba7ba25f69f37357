//! The configurations of the servers: two hosts with one certificate each, one small answer, no
//! access log, one worker for each core. Each server answers a misdirected request with 421 in the
//! way that its documentation describes.

use anyhow::Result;

use crate::case::{CONTENT, ELSEWHERE, SERVED};
use crate::world::{Place, World};

/// Returns [`CONTENT`] with the escapes that all configuration languages here share.
fn content() -> String {
    CONTENT.escape_ascii().to_string()
}

fn text(path: &std::path::Path) -> String {
    path.display().to_string()
}

/// Returns the configurations of both hosts, one after another.
fn hosts(each: impl Fn(&str) -> String) -> String {
    [SERVED, ELSEWHERE].map(each).concat()
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[expect(clippy::unnecessary_wraps, reason = "all configurations have the same type")]
pub(crate) fn bare_h2(world: &World, place: &Place) -> Result<Vec<String>> {
    let files = world.files(SERVED);
    let workers = place.workers.to_string();
    Ok(vec![text(&files.chain), text(&files.key), SERVED.into(), "--workers".into(), workers])
}

pub(crate) fn coalesce(world: &World, place: &Place) -> Result<Vec<String>> {
    let configuration = "[[listener]]\naddress = \"127.0.0.1:0\"\nports = [443]\n".to_owned()
        + &hosts(|host| {
            let files = world.files(host);
            format!(
                "\n[[virtual_host]]\nname = \"{host}\"\nnames = [\"{host}\"]\n\
                 certificate = \"{}\"\nkey = \"{}\"\nanswer = {{ text = \"{}\" }}\n",
                files.chain.display(),
                files.key.display(),
                content()
            )
        });
    let path = world.write("site.toml", &configuration)?;
    let mut arguments = vec!["serve".into(), "--config".into(), text(&path)];
    arguments.extend(place.worker_arguments());
    Ok(arguments)
}

pub(crate) fn coalesce_quiet(world: &World, place: &Place) -> Result<Vec<String>> {
    let mut arguments = coalesce(world, place)?;
    arguments.push("-q".into());
    Ok(arguments)
}

pub(crate) fn coalesce_without_origins(world: &World, place: &Place) -> Result<Vec<String>> {
    let mut arguments = coalesce_quiet(world, place)?;
    arguments.push("--no-origins".into());
    Ok(arguments)
}

pub(crate) fn nginx(world: &World, place: &Place) -> Result<Vec<String>> {
    let (port, scratch) = (place.port, text(&place.scratch));
    let servers = hosts(|host| {
        let files = world.files(host);
        format!(
            "  server {{
    listen 127.0.0.1:{port} ssl http2;
    server_name {host};
    ssl_certificate {};
    ssl_certificate_key {};
    if ($ssl_server_name != $host) {{ return 421; }}
    location / {{ return 200 \"{}\"; }}
  }}\n",
            text(&files.chain),
            text(&files.key),
            content()
        )
    });
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {scratch}/{kind};\n"))
        .concat();
    let configuration = format!(
        "worker_processes {}; daemon off; pid {scratch}/nginx.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; default_type text/plain; keepalive_requests 1000000000;
  ssl_protocols TLSv1.2 TLSv1.3;
{temporary}{servers}}}\n",
        place.workers
    );
    let path = world.write("nginx.conf", &configuration)?;
    Ok(vec!["-c".into(), text(&path), "-p".into(), scratch, "-e".into(), "stderr".into()])
}

pub(crate) fn haproxy(world: &World, place: &Place) -> Result<Vec<String>> {
    let certificates = hosts(|host| format!(" crt {}", text(&world.files(host).both)));
    let answer = |status: u16, content: &str| {
        format!("http-request return status {status} content-type text/plain string \"{content}\"")
    };
    let configuration = format!(
        "global
  nbthread {}
  log stderr local0 warning
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend measured
  bind 127.0.0.1:{} ssl{certificates} alpn h2
  http-request set-var(txn.host) req.hdr(host),host_only,lower
  acl server_name_is_host ssl_fc_sni,lower,strcmp(txn.host) eq 0
  {} unless server_name_is_host
  {}\n",
        place.workers,
        place.port,
        answer(421, "misdirected"),
        answer(200, &content())
    );
    let path = world.write("haproxy.cfg", &configuration)?;
    Ok(vec!["-f".into(), text(&path), "-db".into()])
}

pub(crate) fn h2o(world: &World, place: &Place) -> Result<Vec<String>> {
    let files = world.files(SERVED);
    // A host with the listener that all hosts share. The first host is for unknown names.
    let listener = format!(
        "    listen:
      host: 127.0.0.1
      port: {}
      ssl:
        certificate-file: {}
        key-file: {}
        minimum-version: TLSv1.2
        ocsp-update-interval: 0\n",
        place.port,
        text(&files.chain),
        text(&files.key)
    );
    let user = if is_root() { "user: root\n" } else { "" };
    let configuration = format!(
        "{user}num-threads: {}
error-log: /dev/stderr
pid-file: {}/h2o.pid
hosts:
  \"default\":
{listener}    paths:
      \"/\":
        mruby.handler: |
          Proc.new do |env|
            [421, {{\"content-type\" => \"text/plain\"}}, [\"misdirected\\n\"]]
          end
  \"{SERVED}:443\":
{listener}    paths:
      \"/\":
        file.dir: {}\n",
        place.workers,
        text(&place.scratch),
        text(&world.documents(SERVED))
    );
    let path = world.write("h2o.conf", &configuration)?;
    Ok(vec!["-m".into(), "worker".into(), "-c".into(), text(&path)])
}

pub(crate) fn apache(world: &World, place: &Place) -> Result<Vec<String>> {
    /// The folder of Debian's modules.
    const MODULES: &str = "/usr/lib/apache2/modules";
    let modules = ["mpm_event", "authz_core", "dir", "mime", "ssl", "http2", "socache_shmcb"]
        .map(|module| format!("LoadModule {module}_module {MODULES}/mod_{module}.so\n"))
        .concat();
    let scratch = text(&place.scratch);
    let virtual_hosts = hosts(|host| {
        let files = world.files(host);
        format!(
            "<VirtualHost 127.0.0.1:{}>
  ServerName {host}
  SSLEngine on
  SSLCertificateFile {}
  SSLCertificateKeyFile {}
  DocumentRoot {}
</VirtualHost>\n",
            place.port,
            text(&files.chain),
            text(&files.key),
            text(&world.documents(host))
        )
    });
    let user = if is_root() { "User www-data\nGroup www-data\n" } else { "" };
    let threads = 50;
    let configuration = format!(
        "{modules}ServerRoot {scratch}
PidFile {scratch}/httpd.pid
ErrorLog /dev/stderr
LogLevel error
ServerName measured.invalid
TypesConfig /etc/mime.types
{user}Listen 127.0.0.1:{}
Protocols h2
StartServers {workers}
ServerLimit {workers}
ThreadsPerChild {threads}
MaxRequestWorkers {}
MaxKeepAliveRequests 0
SSLSessionCache shmcb:{scratch}/sessions(512000)
SSLProtocol -all +TLSv1.2 +TLSv1.3
<Directory {}>
  Require all granted
  DirectoryIndex index.html
</Directory>
{virtual_hosts}",
        place.port,
        threads * place.workers,
        text(&world.folder().join("documents")),
        workers = place.workers
    );
    let path = world.write("apache.conf", &configuration)?;
    Ok(vec!["-f".into(), text(&path), "-D".into(), "FOREGROUND".into()])
}

pub(crate) fn caddy(world: &World, place: &Place) -> Result<Vec<String>> {
    let sites = hosts(|host| {
        let files = world.files(host);
        format!(
            "https://{host}:{} {{
  bind 127.0.0.1
  tls {} {}
  respond \"{}\" 200
}}\n",
            place.port,
            text(&files.chain),
            text(&files.key),
            content().trim_end_matches("\\n").to_owned() + "\n"
        )
    });
    let configuration = format!(
        "{{
  admin off
  auto_https off
  storage file_system {}
  log {{
    output stderr
    level ERROR
  }}
  servers {{
    protocols h1 h2
    strict_sni_host on
  }}
}}
{sites}",
        text(&place.scratch)
    );
    let path = world.write("Caddyfile", &configuration)?;
    let [config, adapter] = ["--config", "--adapter"].map(String::from);
    Ok(vec!["run".into(), config, text(&path), adapter, "caddyfile".into()])
}
