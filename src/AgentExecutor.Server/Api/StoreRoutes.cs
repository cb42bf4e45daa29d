using AgentExecutor.Server.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace AgentExecutor.Server.Api;

/// <summary>Maps routes that need the store. They return 503 until it is open, and only then create their endpoint classes.</summary>
internal static class StoreRoutes
{
    /// <summary>Maps GET and HEAD. For HEAD, Kestrel sends the headers of the response without its body.</summary>
    public static void MapStoreRead<T>(this WebApplication app, string pattern, Func<T, HttpContext, Task> respond)
        where T : notnull => app.Map([HttpMethods.Get, HttpMethods.Head], pattern, static gate => gate.CheckOpen(), respond);

    /// <summary>Maps a POST route that changes existing work.</summary>
    public static void MapStorePost<T>(this WebApplication app, string pattern, Func<T, HttpContext, Task> respond)
        where T : notnull => app.Map([HttpMethods.Post], pattern, static gate => gate.CheckOpen(), respond);

    /// <summary>Maps a POST route that starts work. It returns 503 while the service shuts down.</summary>
    public static void MapJobPost<T>(this WebApplication app, string pattern, Func<T, HttpContext, Task> respond)
        where T : notnull => app.Map([HttpMethods.Post], pattern, static gate => gate.CheckAcceptsJobs(), respond);

    private static void Map<T>(
        this WebApplication app,
        string[] methods,
        string pattern,
        Action<ServiceGate> check,
        Func<T, HttpContext, Task> respond
    )
        where T : notnull
    {
        var gate = app.Services.GetRequiredService<ServiceGate>();
        app.MapMethods(
            pattern,
            methods,
            context =>
            {
                check(gate);
                return respond(app.Services.GetRequiredService<T>(), context);
            }
        );
    }
}
