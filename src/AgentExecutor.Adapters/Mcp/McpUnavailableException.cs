namespace AgentExecutor.Adapters.Mcp;

/// <summary>The server cannot be reached, so nothing was sent to it.</summary>
internal sealed class McpUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
