using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Recording;

/// <summary>Stands between the runtime and what it calls outside of the process: models, and tools that are no built-in ones.</summary>
public interface IExchangeTap
{
    /// <summary>The provider, by the same name, whose clients go through the tap.</summary>
    IModelProvider Over(IModelProvider provider);

    /// <summary>The source, whose tools go through the tap.</summary>
    IToolSource Over(IToolSource source);
}
