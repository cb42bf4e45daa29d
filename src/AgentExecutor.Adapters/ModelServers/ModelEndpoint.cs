using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>How far a server is trusted: whether it is given a key, and whether it may be inside the network.</summary>
internal enum ModelTrust
{
    /// <summary>The operator's choice, or the provider itself.</summary>
    Own,

    /// <summary>A definition names it, and the operator listed its host.</summary>
    Listed,

    /// <summary>A definition names it.</summary>
    Stranger,
}

/// <summary>Where a model's calls go, and what they carry.</summary>
/// <param name="Provider">The provider's name.</param>
/// <param name="BaseUrl">Without a slash at its end.</param>
/// <param name="Key">The key to send; not set for none.</param>
/// <param name="Trust">How far the server is trusted.</param>
internal sealed record ModelEndpoint(string Provider, Uri BaseUrl, Secret Key, ModelTrust Trust);
