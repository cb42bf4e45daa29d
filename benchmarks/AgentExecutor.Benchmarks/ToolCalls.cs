using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace AgentExecutor.Benchmarks;

/// <summary>Runs an agent of the real binary that makes tool calls one after another, and reads their durations from its events.</summary>
internal static class ToolCalls
{
    /// <param name="tools">The tool definitions.</param>
    /// <param name="calls">The names of the tools to call, in this order. Every call has the argument <c>text</c>.</param>
    /// <param name="variables">Settings of the program.</param>
    /// <returns>The duration of each call in milliseconds, in the same order.</returns>
    public static async Task<double[]> MeasureAsync(
        JsonArray tools,
        IReadOnlyList<string> calls,
        params (string Name, string Value)[] variables
    )
    {
        var directory = Directory.CreateTempSubdirectory("agent-executor-bench-").FullName;
        try
        {
            var definition = Path.Combine(directory, "agent.json");
            await File.WriteAllTextAsync(definition, Definition(tools, calls).ToJsonString());
            var start = new ProcessStartInfo(
                BenchWorker.Program,
                ["run", definition, "--input", "go", "--events", "jsonl", "--data-dir", directory]
            )
            {
                RedirectStandardOutput = true,
            };
            foreach (var (name, value) in variables)
            {
                start.Environment[name] = value;
            }
            using var process = Process.Start(start)!;
            var durations = await DurationsAsync(process.StandardOutput);
            await process.WaitForExitAsync();
            return process.ExitCode == 0 && durations.Count == calls.Count
                ? [.. durations]
                : throw new InvalidOperationException($"{durations.Count} of {calls.Count} calls succeeded (exit code {process.ExitCode})");
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static JsonObject Definition(JsonArray tools, IReadOnlyList<string> calls)
    {
        var turns = calls.Select(
            (name, index) =>
                (JsonNode)
                    new JsonObject
                    {
                        ["tool_calls"] = new JsonArray(
                            new JsonObject
                            {
                                ["id"] = $"c{index}",
                                ["name"] = name,
                                ["args"] = new JsonObject { ["text"] = "x" },
                            }
                        ),
                    }
        );
        return new JsonObject
        {
            ["name"] = "tools",
            ["tool_definitions"] = tools,
            ["nodes"] = new JsonArray(
                new JsonObject
                {
                    ["id"] = "a",
                    ["type"] = "orchestrator",
                    ["tools"] = new JsonArray([.. calls.Distinct().Select(name => (JsonNode)name)]),
                    ["model"] = new JsonObject
                    {
                        ["provider"] = "scripted",
                        ["model"] = "m",
                        ["script"] = new JsonArray([.. turns, new JsonObject { ["text"] = "done" }]),
                    },
                }
            ),
        };
    }

    private static async Task<List<double>> DurationsAsync(StreamReader events)
    {
        var durations = new List<double>();
        while (await events.ReadLineAsync() is { } line)
        {
            var it = JsonElement.Parse(line);
            if (it.GetProperty("event_type").GetString() != "on_tool_end")
            {
                continue;
            }
            var data = it.GetProperty("data");
            if (data.GetProperty("status").GetString() != "success")
            {
                throw new InvalidOperationException($"a call failed: {data.GetProperty("output").GetString()}");
            }
            durations.Add(data.GetProperty("duration_ms").GetDouble());
        }
        return durations;
    }
}
