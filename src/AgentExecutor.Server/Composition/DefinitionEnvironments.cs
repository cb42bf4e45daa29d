using AgentExecutor.Adapters;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Recording;
using AgentExecutor.Core.Skills;
using AgentExecutor.Core.Tools;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.Server.Composition;

/// <summary>Creates the environment for checking and compiling definitions, without opening a store or connecting to a server.</summary>
internal static class DefinitionEnvironments
{
    /// <param name="settings">The program's settings.</param>
    /// <param name="model">The model that all agents use instead of the models of their definitions; or null.</param>
    /// <param name="tap">Records or replays the calls of models and tools; null to call them directly.</param>
    public static DefinitionEnvironment Create(ServerSettings settings, ModelSpec? model = null, ICallInterceptor? tap = null) =>
        new(
            new ModelCatalog(
                AdapterCatalog
                    .ModelProviders(settings.ModelServers, TimeProvider.System)
                    .Select(provider => tap?.Intercept(provider) ?? provider)
            ),
            new ToolCatalog(
                AdapterCatalog
                    .ToolSources(
                        settings.HttpTools,
                        settings.ScriptTools,
                        settings.Mcp,
                        settings.Sandbox,
                        TimeProvider.System,
                        NullLoggerFactory.Instance
                    )
                    .Select(source => tap?.Intercept(source) ?? source),
                settings.Tools
            ),
            settings.Limits,
            settings.LlmModelName is { } name ? ModelNames.Parse(name) : null,
            model
        )
        {
            Prices = settings.PricesFile is { } file ? PriceFile.Read(file) : PriceTable.Shipped,
            Skills = settings.SkillsDir is { Length: > 0 } directory ? SkillsDirectory.Read(directory) : SkillCatalog.Empty,
        };
}
