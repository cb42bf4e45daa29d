#!/usr/bin/env bash
# Builds AgentExecutor and runs the log-triage sample with the embedded database: nothing but the .NET SDK is needed.
#   ./run.sh            the sample; on a real model where OPENAI_API_KEY or ANTHROPIC_API_KEY is set, else on the scripted one
#   ./run.sh ARGS...    any command of agent-executor, such as: ./run.sh threads
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
here="$PWD"
cd "$root"

if ! command -v dotnet >/dev/null; then
  echo "error: the .NET SDK is missing. Install version 10 (https://dotnet.microsoft.com/download) and run this again." >&2
  exit 2
fi

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
[ $# -gt 0 ] && [ -x artifacts/bin/AgentExecutor.Server/release/agent-executor ] || echo "building (about a minute the first time) ..." >&2
if ! output="$(dotnet build src/AgentExecutor.Server -c Release --nologo -v quiet 2>&1)"; then
  echo "$output" >&2
  echo "error: the build failed. The .NET SDK here is $(dotnet --version); global.json asks for version 10." >&2
  exit 2
fi
program="$root/artifacts/bin/AgentExecutor.Server/release/agent-executor"

if [ $# -gt 0 ]; then
  cd "$here"
  exec "$program" "$@"
fi

# A real model where there is a key for one; LLM_MODEL_NAME says which.
model=()
if [ -n "${OPENAI_API_KEY:-}${ANTHROPIC_API_KEY:-}" ] || [[ "${LLM_MODEL_NAME:-}" == ollama:* || "${LLM_MODEL_NAME:-}" == openai-compatible:* ]]; then
  name="${LLM_MODEL_NAME:-}"
  [ -n "$name" ] || { [ -n "${OPENAI_API_KEY:-}" ] && name=openai:gpt-6-luna || name=anthropic:claude-haiku-5-5; }
  case "$name" in
    openai:* | anthropic:* | ollama:* | openai-compatible:* | scripted:*) ;;
    claude*) name="anthropic:$name" ;;
    *) name="openai:$name" ;;
  esac
  model=(--model "$name")
  echo "running samples/log-triage on $name, since its key is in the environment (LLM_MODEL_NAME names another; without keys the scripted model runs)" >&2
else
  echo "running samples/log-triage on the scripted model: no language model is called, every figure comes from real tools" >&2
  echo "(with OPENAI_API_KEY or ANTHROPIC_API_KEY in the environment, a real one)" >&2
fi
out="$root/data/log-triage"
rm -f "$out/report.md"
"$program" run samples/log-triage/agent.json --mount samples/log-triage/logs \
  --input "What went wrong this morning?" --data-dir "$root/data" --out "$out" "${model[@]}"
echo >&2
if [ -f "$out/report.md" ]; then
  echo "the report ($out/report.md):" >&2
  cat "$out/report.md"
else
  echo "the model wrote no /report.md; its files are in $out" >&2
fi
echo >&2
echo "next: ./run.sh threads --data-dir data    ./run.sh --help" >&2
