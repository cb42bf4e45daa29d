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
  if [ "${#missing[@]}" -gt 0 ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "== installing ${missing[*]}"
    (apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}") >/dev/null
  fi
}

passed=0 failed=0 skipped=0
run_tests() {
  local log
  log="$(mktemp)"
  "artifacts/bin/$1/release/$1" -noColor 2>&1 | tee "$log" || true
  local summary
  summary="$(grep -E "Total: [0-9]+, Errors" "$log" || true)"
  rm -f "$log"
  if [ -z "$summary" ]; then
    echo "error: $1 ended without a summary" >&2
    failed=$((failed + 1))
    return
  fi
  local total errors fails skips
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
  run_tests AgentExecutor.IntegrationTests
fi

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
