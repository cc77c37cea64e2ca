#!/bin/sh
# Holds a running host against its own document (/v1/openapi.json) for FUZZ_SECONDS (180): schemathesis sends
# what the document allows and what it forbids, and checks every answer. Fails on the first kind of finding.
# Needs python3 with venv; schemathesis comes from PyPI into target/fuzz.
set -eu
cd "$(dirname "$0")/../.."
seconds=${FUZZ_SECONDS:-180}
tools=$PWD/target/fuzz
[ -x "$tools/bin/schemathesis" ] || {
    python3 -m venv "$tools"
    "$tools/bin/pip" --quiet --disable-pip-version-check install -r infra/fuzz/requirements.txt
}

# The whole workspace, as the tests build it: another selection would compile the SDKs anew.
[ -n "${STAGEPOST_BIN:-}" ] || cargo build --quiet --workspace --bin stagepost
folder=$(mktemp -d)
STAGEPOST_LOG=${STAGEPOST_LOG:-error,dynoxide=off} "${STAGEPOST_BIN:-target/debug/stagepost}" serve --port 0 --data "$folder/data" \
    >"$folder/out" 2>"$folder/err" &
host=$!
trap 'kill "$host" 2>/dev/null || true; wait "$host" 2>/dev/null || true; rm -rf "$folder"' EXIT

for _ in $(seq 100); do
    grep -q 'Captured mail' "$folder/out" && break
    sleep 0.1
done
base=$(sed -n 's/^Stagepost listens on \([^,]*\),.*/\1/p' "$folder/out")
key=$(sed -n 's/.*export STAGEPOST_API_KEY=//p' "$folder/out")
[ -n "$base" ] && [ -n "$key" ] || { cat "$folder/out" "$folder/err" >&2; exit 1; }

"$tools/bin/python" infra/fuzz/prepare.py "$base" "$key" "$folder"

# Left out: that valid data is accepted (a template's variables, a flow's references are no matter of schemas),
# and revoking keys, which would sooner or later be the one that the run itself uses.
found=0
fuzz() {
    settings=$1 time=$2 phases=$3 without=$4
    shift 4
    # In the folder: it leaves notes where it runs.
    (cd "$folder" && "$tools/bin/schemathesis" --config-file "$folder/$settings.toml" run "$base/v1/openapi.json" \
        --header "Authorization: Bearer $key" --phases "$phases" --max-time "$time" --workers 2 \
        --continue-on-failure --warnings off --suppress-health-check all --checks all \
        --exclude-checks positive_data_acceptance --exclude-operation-id-regex "$without" "$@") || found=$?
}
# Each operation by itself, on things that are there and stay; then chains of calls on what they made themselves.
fuzz ids $((seconds * 2 / 3)) coverage,fuzzing '^(revoke|delete)' "$@"
fuzz plain $((seconds / 3)) stateful '^revoke' "$@"
if [ -s "$folder/err" ]; then
    echo "The host complained:" >&2
    sort "$folder/err" | uniq -c | sort -rn | head -20 >&2
fi
exit "$found"
