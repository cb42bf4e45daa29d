using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using NATS.Client.JetStream;

namespace AgentExecutor.Adapters.Nats;

/// <summary>
/// Applies the changes that NATS permits, and logs a warning with the consequence of each remaining difference. The configuration is
/// checked after each new connection, but the same warning is logged only once.
/// </summary>
internal sealed class DifferenceResolver(ILogger logger)
{
    private const string Unchangeable = "NATS cannot change this. Delete it when it is empty, and the service creates it again";

    private readonly Dictionary<string, string> _logged = [];

    public void Warn(string name, IEnumerable<ConfigurationDifference> differences, string why)
    {
        foreach (var difference in differences.Where(static difference => difference.Consequence.Length > 0))
        {
            Once(
                $"{name} {difference.Consequence}",
                difference.Description,
                () => Log.Differs(logger, difference.Consequence, name, difference.Description, why)
            );
        }
    }

    /// <summary>Logs something unless it was already logged for this subject with the same state.</summary>
    public void Once(string subject, string state, Action log)
    {
        if (_logged.GetValueOrDefault(subject) != state)
        {
            _logged[subject] = state;
            log();
        }
    }

    /// <summary>
    /// Applies all changes together or, if the server rejects that, one by one, so that every change that it accepts is applied.
    /// </summary>
    /// <param name="name">The name of the stream or consumer in logs.</param>
    /// <param name="differences">What differs.</param>
    /// <param name="update">Sends changes to the server.</param>
    /// <param name="updated">Logs changes that were applied.</param>
    /// <returns>True if something was changed.</returns>
    public async Task<bool> ApplyAsync(
        string name,
        List<ConfigurationDifference> differences,
        Func<JsonObject, Task> update,
        Action<string> updated
    )
    {
        Warn(name, differences.Where(static difference => difference.Change is null), Unchangeable);
        var changes = differences.FindAll(static difference => difference.Change is not null);
        if (changes.Count == 0)
        {
            return false;
        }
        try
        {
            var fields = changes.SelectMany(static difference => difference.Change!);
            await update(new JsonObject(fields.Select(static field => KeyValuePair.Create(field.Key, field.Value?.DeepClone()))));
            updated(string.Join(", ", changes.Select(static difference => difference.Description)));
            return true;
        }
        catch (NatsJSApiException refusal) when (IsRefusal(refusal))
        {
            if (changes.Count == 1)
            {
                Warn(name, changes, $"NATS rejects the change: {refusal.Error.Description}");
                return false;
            }
        }
        var isChanged = false;
        foreach (var change in changes)
        {
            isChanged |= await ApplyAsync(name, [change], update, updated);
        }
        return isChanged;
    }

    /// <summary>
    /// Returns true if the server rejects a change, so that the stream is used as it is. A cluster reports that there are not enough
    /// servers for the replicas, either while it starts or permanently. Server 2.9 responds to changes that it does not accept with an
    /// internal error.
    /// </summary>
    private static bool IsRefusal(NatsJSApiException refusal) =>
        !NatsFaults.IsTransient(refusal) || refusal.Error.ErrCode == NatsFaults.NoPeers || refusal.Error.Code == 500;
}
