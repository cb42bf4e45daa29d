using System.Collections.Immutable;
using AgentExecutor.Server.Hosting;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.DependencyInjection;

namespace AgentExecutor.Server.Roles;

/// <summary>The hosted services of each role. Roles start in this order, and stop in the opposite order.</summary>
internal static class RoleTable
{
    public static readonly ImmutableArray<(Role Role, Action<IServiceCollection> Add)> All =
    [
        (Role.Janitor, static services => services.AddHostedService<JanitorLoop>()),
        (Role.Executor, static services => services.AddHostedService<ExecutorLoop>().AddHostedService<IsolationReport>()),
    ];

    public static IServiceCollection AddRoles(this IServiceCollection services, Role active)
    {
        foreach (var (role, add) in All)
        {
            if (active.HasFlag(role))
            {
                add(services);
            }
        }
        return services;
    }
}
