using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Recording;

/// <summary>
/// Intercepts the calls that the runtime makes to the outside of the process: to models, and to tools that are not built in.
/// </summary>
public interface ICallInterceptor
{
    /// <summary>Returns a provider with the same name whose calls are intercepted.</summary>
    IModelProvider Intercept(IModelProvider provider);

    /// <summary>Returns a source whose tools are intercepted.</summary>
    IToolSource Intercept(IToolSource source);
}
