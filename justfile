# Commands of a contributor. `just` lists them; each step of the gate has its name here, and runs the
# gate's own code.

set positional-arguments

_list:
    @just --list --unsorted

# The whole gate: what must pass before a change lands.
gate:
    .ci/run

# Installs what the other steps need.
[group("gate")]
setup:
    .ci/run setup

# Formatting of all workspaces.
[group("gate")]
formatting:
    .ci/run formatting

# Leftover notes, long lines, recipes and jobs for every step.
[group("gate")]
tidy:
    .ci/run tidy

# Clippy for each combination of features, warnings denied.
[group("gate")]
lints:
    .ci/run lints

# Documentation, warnings denied.
[group("gate")]
docs:
    .ci/run docs

# The oldest supported compiler.
[group("gate")]
msrv:
    .ci/run msrv

# Builds without std, and a binary without an allocator.
[group("gate")]
bare-metal:
    .ci/run bare-metal

# Undefined behaviour under Miri: golden tables, the unsafe module.
[group("gate")]
miri:
    .ci/run miri

# Every fuzz target for some seconds (FUZZ_SECONDS).
[group("gate")]
fuzz:
    .ci/run fuzz

# Every bench once, with its assertions.
[group("gate")]
benches:
    .ci/run benches

# Tests without debug assertions.
[group("gate")]
no-assertions:
    .ci/run no-assertions

# coalesce-h2 with the lowest and the newest h2.
[group("gate")]
h2-versions:
    .ci/run h2-versions

# Documentation as docs.rs makes it, its public names and external types, the contents of packages.
[group("gate")]
published:
    .ci/run published

# The README's test command: all tests, then the live lab.
[group("gate")]
tests:
    .ci/run tests

# The modules of nginx, Envoy, HAProxy and Apache: the lab in two worlds, and reloads under load.
[group("gate")]
integrations:
    .ci/run integrations

# Served requests, contents and memory beside a client of chaos.
[group("gate")]
chaos seconds="30":
    SOAK_SECONDS={{ seconds }} .ci/run chaos

# Tests of one crate: just test coalesce-core
[group("tests")]
test crate *arguments:
    @shift; cargo test -p {{ crate }} "$@"

# The vectors, with a table of every implementation.
[group("tests")]
vectors:
    cargo test -p coalesce-tests --test vectors -- --nocapture

# The live lab; SERVER=axum or hyper for the same behind hyper: just lab --only 'port-*' --verbose
[group("tests")]
lab *arguments:
    tests/lab/run.sh "$@"

# The live lab against our servers, nginx, Apache, HAProxy, Caddy, h2o and Envoy: just lab-servers nginx caddy
[group("tests")]
lab-servers *arguments:
    tests/lab/servers.sh "$@"

# The live lab against nginx, envoy, haproxy or apache with its module: just lab-module nginx
[group("tests")]
lab-module server *arguments:
    integrations/lab.sh "$@"

# A server with its module, reloaded under load: just proof nginx 30
[group("tests")]
proof server seconds="30":
    integrations/proof.sh {{ server }} {{ seconds }}

# Chromium and Firefox, and what they did.
[group("tests")]
browsers:
    cargo test -p coalesce-tests --test browsers -- --nocapture

# The attacks on a running server.
[group("tests")]
attacks:
    cargo test -p coalesce-tests --test attacks

# Hostile certificates, and what docs/certificates.md says of them.
[group("tests")]
certificates:
    cargo test -p coalesce-cli --test cli certificates

# Makes the golden compiled tables anew, after a change of the format.
[group("tests")]
bless-golden:
    COALESCE_BLESS=1 cargo test -p coalesce-core --test golden

# Makes the READMEs of the libraries anew, from their documentation.
[group("tests")]
bless-readmes:
    COALESCE_BLESS=1 cargo test -p coalesce-tests --test published

# Words that make the texts hard to read, and the limits.
[group("tests")]
words *arguments:
    .ci/words {{arguments}}

# The documentation as a book, in target/book.
[group("tests")]
book:
    command -v mdbook >/dev/null || cargo install --locked --quiet mdbook
    mdbook build

# Draws the pictures of the documentation anew.
[group("tests")]
bless-pictures:
    COALESCE_BLESS=1 cargo test -p coalesce-tests --test pictures

# Undefined behaviour in all of the core's library; `--target s390x-unknown-linux-gnu` for big endian.
[group("tests")]
miri-core *arguments:
    MIRIFLAGS=-Zmiri-strict-provenance cargo +nightly miri test -p coalesce-core --lib --test golden "$@"

# One fuzz target, from its corpus and seeds: just fuzz-one decide -max_total_time=60
[group("fuzz")]
fuzz-one target *arguments:
    @shift; mkdir -p fuzz/corpus/{{ target }}; cargo +nightly fuzz run -O {{ if target == "config" { "--features config" } else { "" } }} {{ target }} fuzz/corpus/{{ target }} fuzz/seeds/{{ target }} -- "$@"

# Every fuzz target for so many seconds of a processor, `jobs` of them at a time; see fuzz/long.sh.
[group("fuzz")]
fuzz-long seconds="3600" jobs="1":
    fuzz/long.sh -j {{ jobs }} {{ seconds }}

# The criterion benches.
[group("figures")]
bench *arguments:
    cargo bench -p coalesce-benches "$@"

# Instructions that the layer costs a request, with callgrind.
[group("figures")]
count-layer:
    benches/count-layer.sh

# Instructions of one decision, by the step that settles it, with callgrind.
[group("figures")]
count-decide:
    benches/count-decide.sh

# Instructions of the client's pool for a request, in loads of several sizes, with callgrind.
[group("figures")]
count-pool *loads:
    benches/count-pool.sh "$@"

# Instructions of an h2 client, with and without the reporting stream, with callgrind.
[group("figures")]
count-client:
    benches/count-client.sh

# All peers of the matcher: just peers --set cert-100 --instructions
[group("figures")]
peers *arguments="--set cert-100 --set table-1e5":
    cargo run --release -p coalesce-benches --bin peers -- {{ arguments }}

# Whole servers; docs/performance.md has what it needs: just servers --set instructions
[group("figures")]
servers *arguments="--quick":
    cargo run --release -p coalesce-benches --bin servers -- {{ arguments }}

# HTTP clients that load pages, over a link with a round-trip time. Needs root.
[group("figures")]
page-loads *arguments="--quick":
    cargo run --release -p coalesce-benches --bin page_loads -- {{ arguments }}

# Reloads under load; `just soak built` for a table built of the configuration, `just soak chaos 600`.
[group("figures")]
soak *arguments:
    cargo run --release -p coalesce-tests --example soak -- "$@"

# Lines of the core that its tests reach, at least 97 %; needs cargo-llvm-cov.
[group("figures")]
coverage:
    PROPTEST_CASES=32 cargo llvm-cov -p coalesce-core --lib --tests

# Changes of the core that no test sees; needs cargo-mutants: just mutants-core -f '**/decide.rs'
[group("figures")]
mutants-core *arguments:
    PROPTEST_CASES=16 cargo mutants -p coalesce-core --jobs 1 --baseline=skip --timeout 90 "$@"

# The form of the commit messages of a branch.
[group("release")]
commits range="main..HEAD":
    .ci/commits {{ range }}

# Mutants of the decision path that no test catches; needs cargo-mutants.
[group("figures")]
mutants-h2 *arguments:
    cargo mutants --package coalesce-h2 --file 'crates/coalesce-h2/src/{answer,refusal_limit,target,uploads}.rs' --file 'crates/coalesce-h2/src/engine/{decisions,early_answer,header_check,reading}.rs' "$@"

# Licences, sources and known vulnerabilities of dependencies; needs cargo-deny.
[group("release")]
deny:
    cargo deny check

# The same vulnerabilities, of the fuzz targets too; needs cargo-audit.
[group("release")]
audit:
    cargo audit
    cargo audit --file fuzz/Cargo.lock

# Breaking changes of the libraries since the commit that `.ci/semver-baseline` names.
[group("beside the gate")]
semver:
    .ci/run semver

# Each library with no feature, each feature and each pair of features.
[group("beside the gate")]
features:
    .ci/run features

# The types of the libraries on aarch64, macOS and Windows.
[group("beside the gate")]
platforms:
    .ci/run platforms

# The documentation as docs.rs makes it, to read: target/published/doc.
[group("release")]
docs-rs:
    RUSTDOCFLAGS="--cfg docsrs -D warnings" cargo +nightly doc --no-deps --all-features --target-dir target/published -p coalesce-core -p coalesce-tls -p coalesce-http -p coalesce-h2 -p coalesce-tower -p coalesce-site -p coalesce-pool -p coalesce-lab
