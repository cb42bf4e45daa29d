using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders;

/// <summary>The model providers by name.</summary>
public sealed class ModelCatalog(IEnumerable<IModelProvider> providers)
{
    private readonly Dictionary<string, IModelProvider> _providers = providers.ToDictionary(
        provider => provider.Name,
        StringComparer.Ordinal
    );

    public IEnumerable<string> Names => _providers.Keys.Order(StringComparer.Ordinal);

    public IModelProvider? Find(string name) => _providers.GetValueOrDefault(name);

    /// <exception cref="FaultException">The provider does not exist (<see cref="FaultCodes.UnknownProvider"/>).</exception>
    public IChatClient CreateClient(ModelSpec spec) => Of(spec).CreateClient(spec);

    /// <summary>Returns the server that the model's calls go to.</summary>
    /// <exception cref="FaultException">The provider does not exist (<see cref="FaultCodes.UnknownProvider"/>).</exception>
    public ModelAddress AddressOf(ModelSpec spec) => Of(spec).AddressOf(spec);

    private IModelProvider Of(ModelSpec spec) =>
        Find(spec.Provider)
        ?? throw new FaultException(
            FaultCodes.UnknownProvider,
            $"there is no model provider '{spec.Provider}'",
            $"use one of {string.Join(", ", Names)}"
        );
}
