using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Recording;

/// <summary>A provider by another's name, with other clients.</summary>
internal sealed class TapedProvider(string name, Func<ModelSpec, IEnumerable<ModelFault>> check, Func<ModelSpec, IChatClient> createClient) : IModelProvider
{
    public string Name => name;

    public IEnumerable<ModelFault> Check(ModelSpec spec) => check(spec);

    public IChatClient CreateClient(ModelSpec spec) => createClient(spec);
}
