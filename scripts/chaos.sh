#!/bin/sh
# Submits jobs to two workers while workers, PostgreSQL and NATS are killed and restarted at random, workers are suspended, jobs are
# cancelled, and ended threads are pruned. Checks that each job has exactly one result, that no finished call is repeated, and that no
# accepted cancellation is lost.
# usage: scripts/chaos.sh [JOBS] [SECONDS] [SEED]     the same seed repeats a run, apart from differences in timing
set -eu
cd "$(dirname "$0")/.."
export CHAOS_JOBS="${1:-2000}" CHAOS_SECONDS="${2:-120}" CHAOS_SEED="${3:-$(date +%s)}"
echo "chaos: $CHAOS_JOBS jobs in $CHAOS_SECONDS s, seed $CHAOS_SEED"
dotnet build tests/AgentExecutor.IntegrationTests -c Release -v quiet -nologo
exec artifacts/bin/AgentExecutor.IntegrationTests/release/AgentExecutor.IntegrationTests -noColor -class AgentExecutor.IntegrationTests.Crash.ChaosTests
