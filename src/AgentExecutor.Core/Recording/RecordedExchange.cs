using System.Text.Json;

namespace AgentExecutor.Core.Recording;

/// <summary>A request and how it was answered.</summary>
/// <param name="Kind">One of <see cref="ExchangeKinds"/>.</param>
/// <param name="Hash">Of the canonical request: 64 hex digits.</param>
/// <param name="Request">The canonical request, without secrets.</param>
/// <param name="Response">
/// Of a model <c>{"updates": [...], "fault"?}</c>, as streamed; of a tool <c>{"content", "is_error"}</c> or <c>{"fault"}</c>.
/// </param>
/// <param name="Line">Where it stands in its file, from 1.</param>
public sealed record RecordedExchange(string Kind, string Hash, JsonElement Request, JsonElement Response, int Line);
