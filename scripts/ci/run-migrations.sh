#!/usr/bin/env bash
# Migrates the PostgreSQL schema with psql only. Uses the same files and the same table of versions as 'agent-executor migrate'.
#
#   run-migrations.sh              migrate to the newest version
#   run-migrations.sh --to N       migrate up or down to version N; 0 drops all tables and their data
#   run-migrations.sh --status     print the version, and change nothing
#
# Settings: POSTGRES_HOST, POSTGRES_PORT (5432), POSTGRES_DB (postgres), POSTGRES_USER (postgres) and POSTGRES_PASSWORD, or DATABASE_URL;
# POSTGRES_SCHEMA (agent_executor); POSTGRES_WAIT_SECONDS (60), the time to wait for a server that does not respond; MIGRATIONS_DIR.
#
# Each migration is one transaction under an advisory lock, so that concurrent calls apply it once, and a failed migration changes nothing.
# Exit codes: 0 success; 1 a migration failed; 2 the command or a setting is invalid; 5 the server does not respond.
set -euo pipefail

fail() {
  echo "error: $2" >&2
  exit "$1"
}

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
migrations="${MIGRATIONS_DIR:-$here/../../src/AgentExecutor.Adapters/Postgres/Migrations}"
schema="${POSTGRES_SCHEMA:-agent_executor}"
target="" status=false
while [ $# -gt 0 ]; do
  case "$1" in
    --to) [ $# -gt 1 ] || fail 2 "--to needs a version"; target="$2"; shift 2 ;;
    --status) status=true; shift ;;
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) fail 2 "there is no option '$1'; --help lists the options" ;;
  esac
done

command -v psql >/dev/null || fail 2 "psql is not installed; install the PostgreSQL client (apt-get install postgresql-client)"
[ -n "${POSTGRES_HOST:-}${DATABASE_URL:-}" ] || fail 2 "no server is configured; set POSTGRES_HOST or DATABASE_URL"
[[ "$schema" =~ ^[a-z][a-z0-9_]{0,40}$ ]] ||
  fail 2 "POSTGRES_SCHEMA: '$schema' is not a schema name. Use up to 41 lower-case letters, digits and '_', starting with a letter."
up=("$migrations"/[0-9][0-9][0-9][0-9]_*.up.sql)
[ -f "${up[0]}" ] || fail 2 "there are no migrations in '$migrations'"
newest=${#up[@]}
target="${target:-}"
[[ -z "$target" || ("$target" =~ ^[0-9]+$ && "$target" -le "$newest") ]] ||
  fail 2 "there is no version '$target'; use a number from 0 to $newest"

if [ -n "${DATABASE_URL:-}" ]; then
  connection=(-d "$DATABASE_URL")
else
  export PGHOST="$POSTGRES_HOST" PGPORT="${POSTGRES_PORT:-5432}" PGDATABASE="${POSTGRES_DB:-postgres}" PGUSER="${POSTGRES_USER:-postgres}"
  export PGPASSWORD="${POSTGRES_PASSWORD:-}" PGSSLMODE="${AGENT_EXECUTOR_POSTGRES_SSL_MODE:-prefer}"
  connection=()
fi
export PGCONNECT_TIMEOUT=5 PGAPPNAME=agent-executor-migrations
run() {
  psql "${connection[@]}" --no-psqlrc --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 "$@"
}

wait_until=$((SECONDS + ${POSTGRES_WAIT_SECONDS:-60}))
until answer="$(run -c 'SELECT 1' 2>&1)"; do
  case "$answer" in
    *"password authentication failed"* | *"does not exist"*) fail 2 "$answer" ;;
  esac
  [ "$SECONDS" -lt "$wait_until" ] || fail 5 "the server does not respond: $answer"
  [ -n "${reported:-}" ] || echo "waiting for the server: $answer" >&2
  reported=yes
  sleep 1
done

version() {
  local exists
  exists="$(run -c "SELECT to_regclass('\"$schema\".schema_migrations') IS NOT NULL")" || return 1
  if [ "$exists" = t ]; then
    run -c "SELECT coalesce(max(version), 0) FROM \"$schema\".schema_migrations"
  else
    echo 0
  fi
}

statement_mode="the connection pooler in front of PostgreSQL uses statement mode (pool_mode = statement), which allows no transactions; \
set pool_mode = transaction or pool_mode = session for this database, or connect to PostgreSQL itself"
errors="$(mktemp)"
trap 'rm -f "$errors"' EXIT

# Applies or reverts one migration. The version is read under the lock, because another process may have migrated already.
step() { # VERSION FILE up|down
  local name before after record try
  name="$(basename "$2")"
  name="${name#*_}"
  name="${name%.*.sql}"
  if [ "$3" = up ]; then
    before=$(($1 - 1)) record="INSERT INTO schema_migrations (version, name) VALUES ($1, '$name');" after="applied"
  else
    before=$1 record="DELETE FROM schema_migrations WHERE version = $1;" after="reverted"
  fi
  for try in {1..20}; do
    apply "$@" 2>"$errors" && break
    ! grep -q "statement pooling mode" "$errors" || fail 2 "$statement_mode"
    # A long wait for a table lock would block all later statements on that table, so the lock times out and is retried.
    grep -q "lock timeout" "$errors" && [ "$try" -lt 20 ] ||
      { cat "$errors" >&2; fail 1 "migration $1 ($name) failed and was rolled back"; }
    sleep 1
  done
}

apply() {
  run <<SQL
BEGIN;
SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = 0;
SELECT pg_advisory_xact_lock(hashtextextended('agent_executor_migrations:$schema', 0)) \g /dev/null
SET LOCAL lock_timeout = '3s';
SET LOCAL client_min_messages = warning;
SELECT to_regnamespace('"$schema"') IS NULL AS missing \gset
\if :missing
CREATE SCHEMA "$schema";
\endif
SET LOCAL search_path TO "$schema";
CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
SELECT coalesce(max(version), 0) = $before AS due FROM schema_migrations \gset
\if :due
\i '$2'
$record
\echo Migration $1 ($name) $after
\endif
COMMIT;
SQL
}

current="$(version)" || fail 5 "the version of the schema cannot be read"
if [ "$status" = true ]; then
  echo "schema $schema: version $current of $newest"
  exit 0
fi
before="$current"
encoding="$(run -c "SHOW server_encoding")" || fail 5 "the encoding of the database cannot be read"
if [ "$encoding" != UTF8 ] && [ "${target:-$newest}" -ge "$current" ]; then
  fail 2 "the database has the encoding $encoding, which cannot store every character; UTF8 is required. \
Create another database with: CREATE DATABASE agent_executor ENCODING 'UTF8' TEMPLATE template0; and set POSTGRES_DB or DATABASE_URL"
fi
[ -z "$target" ] || [ "$current" -le "$newest" ] || fail 2 "the schema '$schema' has version $current, which is newer than these files"
while [ "$current" -lt "${target:-$newest}" ]; do
  step $((current + 1)) "${up[$current]}" up
  current="$(version)"
done
while [ -n "$target" ] && [ "$current" -gt "$target" ]; do
  step "$current" "${up[$((current - 1))]%.up.sql}.down.sql" down
  current="$(version)"
done
if [ "$before" = "$current" ]; then
  echo "schema $schema: version $current of $newest, nothing to do"
else
  echo "schema $schema: from version $before to $current of $newest"
fi
