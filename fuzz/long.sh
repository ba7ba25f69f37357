#!/usr/bin/env bash
# Fuzzes each target for a long time, starting with the inputs of earlier runs (fuzz/corpus), and adds
# rows with the coverage reached to a table (fuzz/long.tsv).
#
#   fuzz/long.sh [-j JOBS] SECONDS [TARGET...]
#   fuzz/long.sh -t
#
# SECONDS is the processor time for each target: an hour is 3600. Without a TARGET, all targets run,
# JOBS (1) of them at a time. They have the lowest priority, so an input may take a minute before it
# counts as a hang. The script adds a row every ten minutes, so that little is lost if you stop it. It
# ends with status 1 if a target found something; the input is then in fuzz/artifacts, and
# CONTRIBUTING.md describes the next steps. With -t, the script only prints the sums of the table.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# The wall-clock seconds of one row.
slice=600
table=long.tsv

usage() {
    sed -n '/^#   fuzz/s/^# *//p' "${BASH_SOURCE[0]##*/}" >&2
    exit 2
}

# Prints for each target: processor hours, executions in millions, and the best coverage.
sums() {
    awk -F'\t' 'NR > 1 {
        hours[$3] += $4 / 3600; executions[$3] += $5 / 1e6; found[$3] += $9
        if ($6 > edges[$3]) edges[$3] = $6
        if ($7 > features[$3]) features[$3] = $7
    }
    END {
        printf "%-12s %6s %12s %7s %9s %6s\n", "target", "hours", "million runs", "edges", "features", "found"
        for (target in hours)
            printf "%-12s %6.2f %12.2f %7d %9d %6d\n", target, hours[target], executions[target],
                edges[target], features[target], found[target] | "sort"
    }' "$table"
}

jobs=1
while getopts j:t option; do
    case $option in
        j) jobs=$OPTARG ;;
        t) sums && exit ;;
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

# If the kernel schedules each session as a group, `nice` has no effect outside the session, so lower
# the priority of the whole group too.
{ echo 19 >/proc/self/autogroup; } 2>/dev/null || true

# Run copies, so that other builds in the meantime do not replace the binaries.
binaries=$(mktemp -d)
trap 'rm -rf "$binaries"' EXIT
host=$(rustc -vV | sed -n 's/^host: //p')
for target in "${targets[@]}"; do
    if [ "$target" = config ]; then
        # As in the gate, without optimiser and sanitizer: with them, the dependencies of the command
        # line take a quarter of an hour to build, and `config` spends its time on files anyway.
        built=target/unoptimised
        CARGO_PROFILE_RELEASE_OPT_LEVEL=0 cargo +nightly fuzz build -O --features config -s none \
            --target-dir "$built" config
    else
        built=target
        cargo +nightly fuzz build -O "$target"
    fi
    cp "$built/$host/release/$target" "$binaries/"
done

commit=$(git describe --always)
# The table itself changes during a run, so it does not make the commit dirty.
git diff --quiet HEAD -- .. ":!$table" || commit+=-dirty
[ -e "$table" ] ||
    printf 'date\tcommit\ttarget\tprocessor seconds\texecutions\tedges\tfeatures\tcorpus\tfound\n' >"$table"

# Prints the last number after a word in the fuzzer's log.
last() { grep -o " $1 [0-9]*" "$2" | tail -n 1 | tr -dc 0-9; }

# Runs one target until it has used its processor seconds. More wall-clock seconds pass meanwhile.
fuzz() {
    local target=$1 log=target/long-$1.log times=target/long-$1.times left=$seconds spent found=0
    mkdir -p "corpus/$target" "artifacts/$target"
    while [ "$left" -gt 0 ] && [ "$found" = 0 ]; do
        TIMEFORMAT='%U %S'
        { time nice -n 19 "$binaries/$target" "corpus/$target" "seeds/$target" \
            -artifact_prefix="artifacts/$target/" -timeout=60 -print_final_stats=1 \
            -max_total_time=$((left < slice ? left : slice)) >"$log" 2>&1; } 2>"$times" || found=$?
        # Interrupted: the work so far counts, and nothing was found.
        [ "$found" != 72 ] || { found=0 left=0; }
        spent=$(awk 'END { printf "%d", $1 + $2 + 1 }' "$times")
        left=$((left - spent))
        printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$(date -u +%F)" "$commit" "$target" \
            "$spent" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
            "$(last cov: "$log")" "$(last ft: "$log")" \
            "$(find "corpus/$target" -type f | wc -l)" "$((found > 0))" | tee -a "$table"
    done
    [ "$found" = 0 ] || tail -n 30 "$log" >&2
    return "$found"
}

# If stopped, interrupts the fuzzers and waits for their rows.
trap 'pkill -INT -f "^$binaries/" || true; wait; exit 130' INT TERM

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
sums
exit "$status"
