namespace AgentExecutor.IntegrationTests.Support;

/// <summary>Agents that call the tool of <see cref="Servers.CountingServer"/>.</summary>
internal static class CountingAgents
{
    public const string Answer = "both done: alpha is counted, beta is counted";

    /// <summary>An orchestrator with two parallel sub-agents, each of which calls the counting tool and a built-in tool.</summary>
    public static string Team(string url, string effects = "idempotent", int delayMs = 40)
    {
        static string Worker(string name) =>
            """
                {"id": "NAME", "type": "specialist",
                  "config": {"description": "Counts.", "tools": ["count"],
                  "model": {"provider": "scripted", "model": "worker", "script": [
                  {"delay_ms": DELAY, "tool_calls": [{"id": "count", "name": "count", "args": {"who": "NAME"}}]},
                  {"delay_ms": DELAY, "tool_calls": [{"name": "write_file",
                    "args": {"file_path": "/NAME.md", "content": "{{result:count}}"}}]},
                  {"text": "NAME is {{tool:count|counted}}", "delay_ms": DELAY}]}}}
                """.Replace("NAME", name, StringComparison.Ordinal);
        return """
            {"name": "crash", "tool_definitions": [
               {"name": "count", "description": "Counts.", "effects": "EFFECTS", "runtime": {"type": "http", "url": "URL"},
                 "parameters": {"type": "object", "required": ["who"]}}],
             "nodes": [
               {"id": "lead", "type": "orchestrator", "config": {"model": {"provider": "scripted", "model": "lead", "script": [
                 {"delay_ms": DELAY, "tool_calls": [{"name": "write_todos",
                   "args": {"todos": [{"content": "count", "status": "in_progress"}]}}]},
                 {"delay_ms": DELAY, "tool_calls": [
                    {"id": "a", "name": "task", "args": {"subagent_type": "alpha", "description": "go"}},
                    {"id": "b", "name": "task", "args": {"subagent_type": "beta", "description": "go"}}]},
                 {"delay_ms": DELAY, "tool_calls": [{"id": "files", "name": "glob", "args": {"pattern": "*.md"}}]},
                 {"text": "both done: {{result:a}}, {{result:b}}", "delay_ms": DELAY}]}}},
               ALPHA, BETA]}
            """.Replace("URL", url, StringComparison.Ordinal).Replace("EFFECTS", effects, StringComparison.Ordinal).Replace(
            "ALPHA",
            Worker("alpha"),
            StringComparison.Ordinal
        ).Replace("BETA", Worker("beta"), StringComparison.Ordinal).Replace(
            "DELAY",
            delayMs.ToString(System.Globalization.CultureInfo.InvariantCulture),
            StringComparison.Ordinal
        );
    }

    /// <summary>One agent that calls the counting tool once.</summary>
    public static string Once(string url, string effects = "once") =>
        """
            {"name": "once", "tool_definitions": [
               {"name": "count", "description": "Counts.", "effects": "EFFECTS", "runtime": {"type": "http", "url": "URL"},
                 "parameters": {"type": "object", "required": ["who"]}}],
             "nodes": [
               {"id": "lead", "type": "orchestrator",
                 "config": {"tools": ["count"], "model": {"provider": "scripted", "model": "lead", "script": [
                 {"tool_calls": [{"id": "c", "name": "count", "args": {"who": "me"}}]},
                 {"text": "the tool said: {{result:c}}"}]}}}]}
            """.Replace("URL", url, StringComparison.Ordinal).Replace("EFFECTS", effects, StringComparison.Ordinal);
}
