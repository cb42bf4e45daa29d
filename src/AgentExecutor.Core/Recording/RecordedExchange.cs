using System.Text.Json;

namespace AgentExecutor.Core.Recording;

/// <summary>A request and its response.</summary>
/// <param name="Kind">One of <see cref="ExchangeKinds"/>.</param>
/// <param name="Hash">The hash of the canonical request, as 64 hexadecimal digits.</param>
/// <param name="Request">The canonical request, without secrets.</param>
/// <param name="Response">For a model: <c>{"updates": [...], "fault"?}</c>, as streamed. For a tool: <c>{"content", "is_error"}</c> or
/// <c>{"fault"}</c>.</param>
/// <param name="Line">The line number in the file, starting with 1.</param>
public sealed record RecordedExchange(string Kind, string Hash, JsonElement Request, JsonElement Response, int Line);
