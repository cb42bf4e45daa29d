using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders;

/// <summary>Creates clients for one kind of model server.</summary>
public interface IModelProvider
{
    /// <summary>The provider's name in definitions (<c>model.provider</c>).</summary>
    string Name { get; }

    /// <summary>
    /// Returns the reasons why this model cannot be used here (a missing key, an invalid script), each with a hint; empty if there are
    /// none.
    /// </summary>
    IEnumerable<ModelFault> Check(ModelSpec spec);

    /// <summary>
    /// Returns the server that the model's calls go to. All calls to one server share its limits and what is known about its state.
    /// </summary>
    ModelAddress AddressOf(ModelSpec spec) =>
        new(spec.BaseUrl is { Length: > 0 } url ? $"{Name} at {url}" : Name, spec.BaseUrl is null or "");

    /// <summary>
    /// Creates a client that many runs can use at the same time. Failed calls throw a <see cref="FaultException"/> with a <c>model_</c>
    /// code. Data that a server sends only to keep the connection open is returned as a <see cref="KeepAlive"/>.
    /// </summary>
    IChatClient CreateClient(ModelSpec spec);
}

/// <summary>A reason why a model cannot be used.</summary>
/// <param name="Path">The property of the model's definition, such as <c>script[2].text</c>; empty for the model as a whole.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Hint">How to fix it.</param>
/// <param name="IsEnvironment">True if the definition itself is valid but a key, a setting or a server is missing here.</param>
public sealed record ModelFault(string Path, string Message, string Hint, bool IsEnvironment = false);
