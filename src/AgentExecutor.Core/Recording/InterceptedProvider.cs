using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Recording;

/// <summary>Has the name and the servers of another provider, but creates other clients.</summary>
internal sealed class InterceptedProvider(
    IModelProvider original,
    Func<ModelSpec, IEnumerable<ModelFault>> check,
    Func<ModelSpec, IChatClient> createClient
) : IModelProvider
{
    public string Name => original.Name;

    public IEnumerable<ModelFault> Check(ModelSpec spec) => check(spec);

    public ModelAddress AddressOf(ModelSpec spec) => original.AddressOf(spec);

    public IChatClient CreateClient(ModelSpec spec) => createClient(spec);
}
