using System.Collections.Frozen;
using System.Collections.Immutable;

namespace AgentExecutor.Server.Api.Checks;

/// <summary>
/// The routes that accept other media types than JSON, such as uploads and forms. A page may send such a body without a preflight request,
/// so these routes require that the request comes from a page of the service, or contains a key or token in a header.
/// </summary>
/// <param name="types">The media types by the pattern of the route, without parameters.</param>
internal sealed class RouteMediaTypes(IReadOnlyDictionary<string, ImmutableArray<string>> types)
{
    private readonly FrozenDictionary<string, ImmutableArray<string>> _types = types.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The routes of this service. All of them accept only JSON, except the forms of links.</summary>
    public static RouteMediaTypes Current { get; } =
        new(new Dictionary<string, ImmutableArray<string>> { [QuestionEndpoints.Pattern] = ["application/x-www-form-urlencoded"] });

    /// <summary>The media types besides JSON that the route accepts; empty if it accepts only JSON.</summary>
    public ImmutableArray<string> Of(string? pattern) => pattern is not null && _types.TryGetValue(pattern, out var found) ? found : [];
}
