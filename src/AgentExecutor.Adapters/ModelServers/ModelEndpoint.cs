using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>How far a server is trusted: whether it receives a key, and whether it can have a private address.</summary>
internal enum ModelTrust
{
    /// <summary>The server was chosen by the operator, or is the provider's own.</summary>
    Own,

    /// <summary>The server was named by a definition, and the operator allowed its host.</summary>
    Listed,

    /// <summary>The server was named by a definition only.</summary>
    Untrusted,
}

/// <summary>The server of a model's calls, with the key to send.</summary>
/// <param name="Provider">The provider's name.</param>
/// <param name="BaseUrl">The address, without a slash at its end.</param>
/// <param name="Key">The key to send; not set if there is none.</param>
/// <param name="Trust">How far the server is trusted.</param>
internal sealed record ModelEndpoint(string Provider, Uri BaseUrl, Secret Key, ModelTrust Trust);
