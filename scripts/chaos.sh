#!/bin/sh
# Jobs through two workers while workers, PostgreSQL and NATS are killed and started again at random: exactly one result each, no finished call repeated.
# usage: scripts/chaos.sh [JOBS] [SECONDS] [SEED]     a seed repeats a run, as far as timing lets it
set -eu
cd "$(dirname "$0")/.."
export CHAOS_JOBS="${1:-2000}" CHAOS_SECONDS="${2:-120}" CHAOS_SEED="${3:-$(date +%s)}"
echo "chaos: $CHAOS_JOBS jobs in $CHAOS_SECONDS s, seed $CHAOS_SEED"
dotnet build tests/AgentExecutor.IntegrationTests -c Release -v quiet -nologo
exec artifacts/bin/AgentExecutor.IntegrationTests/release/AgentExecutor.IntegrationTests -noColor -class AgentExecutor.IntegrationTests.Crash.ChaosTests
