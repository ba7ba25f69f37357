//! Makes requests to a hyper server in memory, with or without the layer, so that callgrind can
//! count the server's instructions. The script `count-layer.sh` runs it.

use anyhow::{Context, bail};
use coalesce_benches::client::Protocol;
use coalesce_benches::servers::{Between, MISDIRECTED, SERVED, on_this_thread, run};

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [protocol, between, host, requests] = &words[..] else {
        bail!("usage: layer http1|http2 nothing|serve|facts|layer served|misdirected REQUESTS");
    };
    let protocol = match protocol.as_str() {
        "http1" => Protocol::Http1,
        "http2" => Protocol::Http2,
        other => bail!("http1 or http2 expected, '{other}' found"),
    };
    let between = match between.as_str() {
        "nothing" => Between::Nothing,
        "serve" => Between::Serve,
        "facts" => Between::Facts,
        "layer" => Between::Layer,
        other => bail!("nothing, serve, facts or layer expected, '{other}' found"),
    };
    let host = match host.as_str() {
        "served" => SERVED,
        "misdirected" => MISDIRECTED,
        other => bail!("served or misdirected expected, '{other}' found"),
    };
    let requests = requests.parse().context("a number of requests")?;
    on_this_thread(run(protocol, between, host, requests));
    Ok(())
}
