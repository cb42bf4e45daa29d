#!/usr/bin/env bash
# Builds AgentExecutor and runs the log-triage sample with the embedded database. Only the .NET SDK is required.
#   ./run.sh            runs the sample: on a real model if OPENAI_API_KEY or ANTHROPIC_API_KEY is set, otherwise on the scripted model
#   ./run.sh ARGS...    runs a command of agent-executor, for example: ./run.sh threads
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
here="$PWD"
cd "$root"

if ! command -v dotnet >/dev/null; then
  echo "error: the .NET SDK is not installed. Install version 10 from https://dotnet.microsoft.com/download and run this script again." >&2
  exit 2
fi

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
program="$root/artifacts/bin/AgentExecutor.Server/release/agent-executor"
stamp="$root/artifacts/run.stamp"

# Lists files with their sizes and times of change. The list changes whenever a file is written, added, renamed or deleted, including by
# git pull and git switch.
describe() {
  if find --version >/dev/null 2>&1; then
    find "$@" \( -name bin -o -name obj \) -prune -o -type f -printf '%p %s %T@ %C@\n' 2>/dev/null | LC_ALL=C sort || true
  else
    find "$@" \( -name bin -o -name obj \) -prune -o -type f -exec stat -f '%N %z %Fm %Fc' {} + 2>/dev/null | LC_ALL=C sort || true
  fi
}
inputs() { describe src global.json Directory.*.props Directory.*.targets Directory.*.rsp [Nn]u[Gg]et.[Cc]onfig .editorconfig BannedSymbols.txt; }
# Another build may have overwritten the program with one from other sources.
outputs() { describe "$program" "$program.dll"; }

if [ ! -x "$program" ] || [ ! -f "$stamp" ] || [ "$(inputs; outputs)" != "$(cat "$stamp")" ]; then
  echo "Building. The first build takes one to two minutes." >&2
  before="$(inputs)"
  rm -f "$stamp"
  if ! output="$(dotnet build src/AgentExecutor.Server -c Release --nologo -v quiet 2>&1)"; then
    echo "$output" >&2
    echo "error: the build failed. The installed .NET SDK has version $(dotnet --version); global.json requires version 10." >&2
    exit 2
  fi
  { echo "$before"; outputs; } >"$stamp"
fi

if [ $# -gt 0 ]; then
  cd "$here"
  exec "$program" "$@"
fi

# Use a real model if there is a key for one. LLM_MODEL_NAME selects the model.
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
  echo "Running samples/log-triage with $name. Set LLM_MODEL_NAME to use another model." >&2
else
  echo "Running samples/log-triage with the scripted model: no language model is called, but the tools are real." >&2
  echo "Set OPENAI_API_KEY or ANTHROPIC_API_KEY to use a real model." >&2
fi
out="$root/data/log-triage"
rm -f "$out/report.md"
"$program" run samples/log-triage/agent.json --mount samples/log-triage/logs \
  --input "What went wrong this morning?" --data-dir "$root/data" --out "$out" "${model[@]}"
echo >&2
if [ -f "$out/report.md" ]; then
  echo "The report ($out/report.md):" >&2
  cat "$out/report.md"
else
  echo "The model did not write /report.md. Its files are in $out." >&2
fi
echo >&2
echo "Next, try: ./run.sh threads --data-dir data, or ./run.sh --help" >&2
