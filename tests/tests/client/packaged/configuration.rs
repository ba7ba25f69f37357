//! The configurations of the servers. Each answers with the host and the client's port.

use std::fs;
use std::net::SocketAddr;

use coalesce_tests::World;

use super::HOSTS;
use crate::place::name;

/// Everything of nginx stays in its folder, and it is one process.
pub(super) fn nginx(address: SocketAddr, world: &World) -> String {
    let folder = world.path("");
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    let server = |host: &str| {
        let rule = match host {
            "c" => "if ($ssl_server_name != $host) { return 421; }",
            _ => "",
        };
        format!(
            "server {{ listen {address} ssl http2; server_name {name}; {rule}
               location / {{ return 200 \"{name} $remote_port\"; }} }}\n",
            name = name(host),
        )
    };
    format!(
        "daemon off; master_process off; pid {folder}/pid;
events {{}}
http {{
  access_log off; {temporary}
  ssl_certificate {folder}/site.pem; ssl_certificate_key {folder}/site.key;
  {servers}
}}
",
        servers = HOSTS.map(server).concat(),
    )
}

/// `c` asks for a client certificate, so Apache itself answers 421 on connections of other hosts.
pub(super) fn apache(address: SocketAddr, world: &World) -> String {
    let folder = world.path("");
    let folder = folder.display();
    let modules = [
        "mpm_event",
        "authz_core",
        "headers",
        "http2",
        "include",
        "mime",
        "rewrite",
        "socache_shmcb",
        "ssl",
    ];
    let modules: String = modules
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
    let server = |host: &str| {
        let rule = match host {
            "c" => format!("SSLVerifyClient optional\nSSLCACertificateFile {folder}/client-ca.pem"),
            _ => String::new(),
        };
        let name = name(host);
        let documents = world.path(host);
        fs::create_dir(&documents).expect("the folder is writable");
        let page = format!("{name} <!--#echo var=\"REMOTE_PORT\" -->");
        fs::write(documents.join("index.shtml"), page).expect("the folder is writable");
        format!(
            "<VirtualHost {address}>
ServerName {name}
SSLEngine on
SSLCertificateFile {folder}/site.pem
SSLCertificateKeyFile {folder}/site.key
{rule}
DocumentRoot {documents}
RewriteEngine on
RewriteRule ^/$ /index.shtml
</VirtualHost>\n",
            documents = documents.display(),
        )
    };
    // A server of root gives its rights up, and then reads the folder as another user.
    let user = if is_root() { "User www-data\nGroup www-data\n" } else { "" };
    open_folder(world);
    format!(
        "{modules}
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog /dev/stderr
LogLevel error
ServerName tests.invalid
TypesConfig /etc/mime.types
{user}Listen {address}
Protocols h2 http/1.1
StartServers 1
SSLSessionCache shmcb:{folder}/sessions(512000)
<Directory {folder}>
Require all granted
Options +Includes
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
</Directory>
{servers}",
        servers = HOSTS.map(server).concat(),
    )
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}

/// Lets every user read a temporary folder, which is otherwise its owner's.
fn open_folder(world: &World) {
    use std::os::unix::fs::PermissionsExt;
    let all = fs::Permissions::from_mode(0o755);
    fs::set_permissions(world.path(""), all).expect("the folder is the test's");
}

pub(super) fn haproxy(address: SocketAddr, world: &World) -> String {
    let both = ["pem", "key"].map(|end| fs::read(world.path(&format!("site.{end}"))));
    let both = both.map(|file| file.expect("a file of this world")).concat();
    fs::write(world.path("both.pem"), both).expect("the folder is writable");
    let answer = |host: &str| {
        let name = name(host);
        format!(
            "  http-request return status 200 content-type text/plain lf-string \
             \"{name} %[src_port]\" if {{ var(txn.host) -m str {name} }}\n"
        )
    };
    format!(
        "global
  maxconn 100
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
frontend clients
  bind {address} ssl crt {certificate} alpn h2,http/1.1
  http-request set-var(txn.host) req.hdr(host),host_only,lower
  acl server_name_is_host ssl_fc_sni,lower,strcmp(txn.host) eq 0
  http-request return status 421 if {{ var(txn.host) -m str {c} }} !server_name_is_host
{answers}",
        certificate = world.path("both.pem").display(),
        c = name("c"),
        answers = HOSTS.map(answer).concat(),
    )
}
