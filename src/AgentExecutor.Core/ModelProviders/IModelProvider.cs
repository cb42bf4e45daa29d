using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders;

/// <summary>Makes clients of one kind of model server.</summary>
public interface IModelProvider
{
    /// <summary>What definitions call it in <c>model.provider</c>.</summary>
    string Name { get; }

    /// <summary>Why this model cannot be used here (a missing key, a script that is none), each with a mend; empty where it can.</summary>
    IEnumerable<ModelFault> Check(ModelSpec spec);

    /// <summary>Where the model's calls go: all calls to one server share its limits and what is learnt of it.</summary>
    ModelAddress AddressOf(ModelSpec spec) => new(spec.BaseUrl is { Length: > 0 } url ? $"{Name} at {url}" : Name, spec.BaseUrl is null or "");

    /// <summary>A client, safe to use from many runs at once. Faults of a call are <see cref="FaultException"/>s with a <c>model_</c> code. What a server sends only to keep the connection is a <see cref="SignOfLife"/>.</summary>
    IChatClient CreateClient(ModelSpec spec);
}

/// <summary>Why a model cannot be used.</summary>
/// <param name="Path">The property of the model's definition, such as <c>script[2].text</c>; empty for the whole.</param>
public sealed record ModelFault(string Path, string Message, string Hint);
