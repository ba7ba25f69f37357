#!/usr/bin/env bash
# Fuzzes each target for long, from what earlier runs have found (fuzz/corpus), and adds a row for
# each to the table of what was reached (fuzz/target/long.tsv).
#
#   fuzz/long.sh [-j JOBS] SECONDS [TARGET...]
#
# SECONDS are of one processor for one target: an hour is 3600. All targets when none is named, JOBS
# (1) of them at a time, with the lowest priority. Ends with 1 when a target found something; the
# input is then in fuzz/artifacts, and CONTRIBUTING.md says what to do with it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
    sed -n '/^#   fuzz/s/^# *//p' "${BASH_SOURCE[0]##*/}" >&2
    exit 2
}

jobs=1
while getopts j: option; do
    case $option in
        j) jobs=$OPTARG ;;
        *) usage ;;
    esac
done
shift $((OPTIND - 1))
[[ ${1:-} =~ ^[1-9][0-9]*$ && $jobs =~ ^[1-9][0-9]*$ ]] || usage
seconds=$1
shift
mapfile -t every < <(cargo +nightly fuzz list)
targets=("${@:-${every[@]}}")
for target in "${targets[@]}"; do
    [ -e "fuzz_targets/$target.rs" ] || {
        echo "no fuzz target $target; there are: ${every[*]}" >&2
        exit 2
    }
done

# Where each session of processes has a share of its own, its priority says nothing outside of it.
{ echo 19 >/proc/self/autogroup; } 2>/dev/null || true

# Copies, so that building something else meanwhile changes nothing.
binaries=$(mktemp -d)
trap 'rm -rf "$binaries"' EXIT
built=target/$(rustc -vV | sed -n 's/^host: //p')/release
for target in "${targets[@]}"; do
    flags=()
    [ "$target" != config ] || flags=(--features config)
    cargo +nightly fuzz build -O "${flags[@]}" "$target"
    cp "$built/$target" "$binaries/"
done

commit=$(git describe --always --dirty)
table=target/long.tsv
[ -e "$table" ] ||
    printf 'target\tcommit\tprocessor seconds\texecutions\tedges\tfeatures\tcorpus\tfound\n' >"$table"

# Runs one target until it has used its seconds of a processor, which are fewer than those that pass.
fuzz() {
    local target=$1 log=target/long-$1.log used=0 executions=0 left found=0 times
    mkdir -p "corpus/$target" "artifacts/$target"
    while left=$((seconds - used)) && [ "$left" -gt 0 ]; do
        times=$(mktemp -p "$binaries")
        TIMEFORMAT='%U %S'
        { time nice -n 19 "$binaries/$target" "corpus/$target" "seeds/$target" \
            -artifact_prefix="artifacts/$target/" -max_total_time="$left" -timeout=10 \
            -print_final_stats=1 >"$log" 2>&1; } 2>"$times" || found=1
        used=$(awk -v used="$used" '{ printf "%d", used + $1 + $2 + 1 }' "$times")
        executions=$((executions + $(sed -n 's/^stat::number_of_executed_units: *//p' "$log" || echo 0)))
        [ "$found" = 0 ] || break
    done
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$target" "$commit" "$used" "$executions" \
        "$(grep -o ' cov: [0-9]*' "$log" | tail -n 1 | tr -dc 0-9)" \
        "$(grep -o ' ft: [0-9]*' "$log" | tail -n 1 | tr -dc 0-9)" \
        "$(find "corpus/$target" -type f | wc -l)" "$found" | tee -a "$table"
    [ "$found" = 0 ] || tail -n 30 "$log" >&2
    return "$found"
}

status=0
running=0
for target in "${targets[@]}"; do
    [ "$running" -lt "$jobs" ] || { wait -n || status=1; running=$((running - 1)); }
    echo "$target: until $seconds seconds of a processor are used"
    fuzz "$target" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || status=1
    running=$((running - 1))
done
exit "$status"
