namespace AgentExecutor.IntegrationTests.Support;

/// <summary>Requests for jobs, and the agents in them.</summary>
internal static class JobRequests
{
    public const string Structured = "application/cloudevents+json";
    public const string Batch = "application/cloudevents-batch+json";

    /// <summary>An agent that repeats its input.</summary>
    public const string Echo = """
        {"name": "echo", "nodes": [{"id": "e", "type": "orchestrator",
          "config": {"model": {"provider": "scripted", "model": "e", "script": [{"text": "You said {{input}}."}]}}}]}
        """;

    /// <summary>An agent that writes a file and answers.</summary>
    public const string Writer = """
        {"name": "writer", "nodes": [{"id": "w", "type": "orchestrator",
          "config": {"model": {"provider": "scripted", "model": "w", "script": [
          {"tool_calls": [{"name": "write_file", "args": {"file_path": "/a.md", "content": "hi"}}]}, {"text": "written"}]}}}]}
        """;

    /// <summary>An agent whose model refuses the request.</summary>
    public const string Failing = """
        {"name": "failing", "nodes": [{"id": "f", "type": "orchestrator",
          "config": {"model": {"provider": "scripted", "model": "f", "script": [
          {"error": {"class": "invalid_request", "message": "no such thing"}}]}}}]}
        """;

    /// <summary>An agent that answers with a text of many chunks, calls a tool, and answers with a short text.</summary>
    public static string Chatty(int chunks, int chunkDelayMs = 0, int chunkSize = 4) =>
        """
            {"name": "chatty", "nodes": [{"id": "c", "type": "orchestrator",
              "config": {"model": {"provider": "scripted", "model": "c", "script": [
              {"text": "TEXT", "chunk_size": SIZE, "chunk_delay_ms": DELAY, "tool_calls": [{"name": "ls", "args": {}}]},
                {"text": "that is all"}]}}}]}
            """.Replace(
            "TEXT",
            string.Concat(Enumerable.Range(0, chunks).Select(chunk => $"{chunk:x4}".PadRight(chunkSize, '.'))),
            StringComparison.Ordinal
        ).Replace("SIZE", $"{chunkSize}", StringComparison.Ordinal).Replace("DELAY", $"{chunkDelayMs}", StringComparison.Ordinal);

    /// <summary>
    /// An agent with several turns, each of which has a text of some chunks and a call of the counting tool, before its short answer.
    /// </summary>
    public static string Talking(string url, int turns, int chunks = 30, int chunkDelayMs = 5) =>
        """
            {"name": "talking", "tool_definitions": [{"name": "count", "description": "Counts.",
              "runtime": {"type": "http", "url": "URL"}, "parameters": {"type": "object"}}],
             "nodes": [{"id": "t", "type": "orchestrator",
               "config": {"tools": ["count"],
               "model": {"provider": "scripted", "model": "t", "script": [TURNS {"text": "that is all"}]}}}]}
            """.Replace(
            "TURNS",
            string.Concat(
                Enumerable
                    .Range(0, turns)
                    .Select(turn =>
                        $$$"""
                            {"text": "{{{string.Concat(
                                Enumerable.Range(0, chunks).Select(chunk => $"{turn:x2}{chunk:x2}")
                            )}}}", "chunk_size": 4, "chunk_delay_ms": {{{chunkDelayMs}}},
                             "tool_calls": [{"name": "count", "args": {"turn": {{{turn}}}}}]},
                            """
                    )
            ),
            StringComparison.Ordinal
        ).Replace("URL", url, StringComparison.Ordinal);

    /// <summary>A workflow that asks a person and then calls the counting tool.</summary>
    public static string Asking(string url) =>
        """
            {"name": "asking", "tool_definitions": [{"name": "count", "description": "Counts.", "runtime": {"type": "http", "url": "URL"},
              "parameters": {"type": "object"}}],
             "nodes": [{"id": "ask", "type": "human", "config": {"question": "Go on?", "output": "answer"}},
                       {"id": "count", "type": "tool", "config": {"tool": "count", "arguments": {"who": "me"}, "output": "counted"}}],
             "edges": [{"from": "START", "to": "ask"}, {"from": "ask", "to": "count"}, {"from": "count", "to": "END"}]}
            """.Replace("URL", url, StringComparison.Ordinal);

    public static string Data(string id, string definition = Echo, string input = "hello") =>
        $$$"""
            {"trace_id": "trace-{{{id}}}", "job_id": "{{{id}}}", "agent_definition": {{{definition}}},
              "input_payload": {"messages": [{"role": "user", "content": "{{{input}}}"}]}}
            """;

    public static string Event(string id, string definition = Echo, string input = "hello") => EventOf(Data(id, definition, input));

    public static string EventOf(string data) =>
        $$"""
            {"specversion": "1.0", "id": "e1", "source": "/tests", "type": "dev.my-platform.agent.execute",
              "datacontenttype": "application/json", "data": {{data}}}
            """;

    /// <summary>The headers of binary mode.</summary>
    public static (string, string)[] Headers { get; } =
    [("ce-specversion", "1.0"), ("ce-id", "e1"), ("ce-source", "/tests"), ("ce-type", "dev.my-platform.agent.execute")];
}
