using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders.Scripted;

/// <summary>
/// <c>provider: scripted</c>: no language model at all, but turns written down beforehand, for demonstrations and tests. What a turn quotes of
/// tool results is real.
/// </summary>
public sealed class ScriptedProvider(TimeProvider time) : IModelProvider
{
    public const string ProviderName = "scripted";

    public string Name => ProviderName;

    public IEnumerable<ModelFault> Check(ModelSpec spec) => Script.Check(spec.Script);

    public IChatClient CreateClient(ModelSpec spec) => new ScriptedChatClient(Script.Read(spec.Script), spec, time);
}
