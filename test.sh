#!/usr/bin/env bash
# Builds everything with warnings as errors, checks the formatting, and runs all tests.
#   ./test.sh           everything
#   ./test.sh unit      only the build and the unit tests
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

if ! command -v dotnet >/dev/null; then
  echo "error: the .NET SDK is not installed. Install version 10 from https://dotnet.microsoft.com/download and run this script again." >&2
  exit 2
fi

# The integration tests start their own servers. If a server cannot be installed, its tests are skipped, or fail if CI is set.
install_servers() {
  local missing=()
  [ -n "${TEST_POSTGRES:-}" ] || compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null || missing+=(postgresql postgresql-client)
  [ -n "${TEST_NATS:-}" ] || [ -x /usr/sbin/nats-server ] || command -v nats-server >/dev/null || missing+=(nats-server)
  [ -n "${TEST_REDIS:-}" ] || command -v redis-server >/dev/null || missing+=(redis-server)
  [ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null || missing+=(pgbouncer)
  [ -x /usr/bin/bwrap ] || command -v bwrap >/dev/null || missing+=(bubblewrap)
  if [ "${#missing[@]}" -gt 0 ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "== installing ${missing[*]}"
    (apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}") >/dev/null
  fi
}

passed=0 failed=0 skipped=0
unstable=()

# Runs a test program. If at most five tests fail, they run again, one after another, because tests of deadlines and of killed servers
# can fail on a busy machine. Tests that pass then are named as unstable at the end. More than five unstable tests fail the run.
run_tests() {
  local program="artifacts/bin/$1/release/$1" log again
  log="$(mktemp)" again="$(mktemp)"
  "$program" -noColor 2>&1 | tee "$log" || true
  if ! count_tests "$log" "$1"; then
    rm -f "$log" "$again"
    return
  fi
  local names=()
  mapfile -t names < <(sed -nE 's/^ +([A-Za-z0-9_.+]+)(\(.*\))? \[FAIL\]$/\1/p' "$log" | sort -u)
  if [ "$fails" -gt 0 ] && [ "${#names[@]}" -gt 0 ] && [ "${#names[@]}" -le 5 ]; then
    echo "== $1: the tests that failed, once more"
    "$program" -noColor -parallelMode none $(printf -- '-method %s ' "${names[@]}") 2>&1 | tee "$again" || true
    if grep -qE "Total: [1-9][0-9]*, Errors: 0, Failed: 0" "$again"; then
      unstable+=("${names[@]}")
      failed=$((failed - fails)) passed=$((passed + fails))
    fi
  fi
  rm -f "$log" "$again"
}

# Adds the numbers of a log's summary to the totals, and sets fails.
count_tests() {
  local summary
  summary="$(grep -E "Total: [0-9]+, Errors" "$1" || true)"
  if [ -z "$summary" ]; then
    echo "error: $2 ended without a summary" >&2
    failed=$((failed + 1))
    return 1
  fi
  local total errors skips
  total="$(sed -E 's/.*Total: ([0-9]+).*/\1/' <<<"$summary")"
  errors="$(sed -E 's/.*Errors: ([0-9]+).*/\1/' <<<"$summary")"
  fails="$(sed -E 's/.*Failed: ([0-9]+).*/\1/' <<<"$summary")"
  skips="$(sed -E 's/.*Skipped: ([0-9]+).*/\1/' <<<"$summary")"
  failed=$((failed + fails + errors))
  skipped=$((skipped + skips))
  passed=$((passed + total - fails - skips))
}

echo "== build"
dotnet build AgentExecutor.slnx -c Release --nologo -v quiet
if [ "${1:-all}" = all ]; then
  echo "== format"
  dotnet tool restore >/dev/null
  dotnet csharpier check .
  dotnet format AgentExecutor.slnx --verify-no-changes --no-restore
fi
echo "== unit tests"
run_tests AgentExecutor.Tests
if [ "${1:-all}" = all ]; then
  install_servers
  echo "== integration tests"
  echo "isolation of programs: $(artifacts/bin/AgentExecutor.Server/release/agent-executor sandbox)"
  run_tests AgentExecutor.IntegrationTests
fi

echo
for name in "${unstable[@]}"; do
  echo "unstable: $name failed at first and passed when it ran alone"
done
echo "$passed passed, $failed failed, $skipped skipped, ${#unstable[@]} unstable"
[ "$failed" -eq 0 ] && [ "${#unstable[@]}" -le 5 ]
