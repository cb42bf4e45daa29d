using AgentExecutor.Core.Messaging;
using Microsoft.Extensions.Logging;
using NATS.Client.JetStream;

namespace AgentExecutor.Adapters.Nats;

/// <summary>
/// Creates missing streams, and updates those that the service has created, as far as NATS permits it and no message is lost.
/// </summary>
internal sealed class StreamSetup(
    NatsJSContext jetStream,
    StreamFinder finder,
    WantedStreams wanted,
    DifferenceResolver resolver,
    bool managesStreams,
    ILogger logger
)
{
    public const string Unmanaged = "NATS_MANAGE_STREAMS is off, so it is not changed";

    private static readonly string[] ResultSubjects =
    [
        .. ((string[])["completed", "failed", "interrupted", "cancelled"]).Select(static status => $"{BusSubjects.Results}{status}"),
    ];

    private readonly ConfigurationUpdate _update = new(jetStream.Connection);

    public async Task<ExistingStream> CreateAsync(BusStream kind, CancellationToken cancellationToken)
    {
        var created = await jetStream.CreateStreamAsync(wanted.Stream(kind), cancellationToken);
        Log.StreamCreated(logger, created.Info.Config.Name!);
        return new ExistingStream(created.Info.Config, IsOwn: true);
    }

    /// <summary>Updates a stream of the service, and logs a warning about each remaining difference.</summary>
    public async Task<ExistingStream> UpdateAsync(BusStream kind, ExistingStream stream, CancellationToken cancellationToken)
    {
        if (!stream.IsOwn)
        {
            resolver.Once(
                $"store of {kind}",
                stream.Name,
                () => Log.ForeignStream(logger, WantedStreams.Noun(kind), stream.Name, wanted.NameOf(kind))
            );
        }
        var differences = StreamComparison.Of(kind, stream.Config, wanted.Stream(kind));
        if (differences.Count == 0)
        {
            return stream;
        }
        if (stream.IsOwn && managesStreams)
        {
            var isChanged = await resolver.ApplyAsync(
                stream.Name,
                differences,
                changes => _update.ApplyToStreamAsync(stream.Name, changes, cancellationToken),
                difference => Log.StreamUpdated(logger, stream.Name, difference)
            );
            return isChanged && await finder.FindAsync(stream.Name, cancellationToken) is { } changed
                ? stream with
                {
                    Config = changed,
                }
                : stream;
        }
        var why = managesStreams ? $"The stream has another name than {wanted.NameOf(kind)}, so it is not changed" : Unmanaged;
        resolver.Warn(stream.Name, differences, why);
        if (
            kind == BusStream.Results
            && managesStreams
            && !SubjectPattern.AnyCovers(stream.Config.Subjects, WantedStreams.SubjectsOf(kind))
        )
        {
            await StoreOtherResultsAsync(cancellationToken);
        }
        return stream;
    }

    /// <summary>
    /// Creates or extends the service's stream of results if another stream stores only some of the subjects. Otherwise results on the
    /// remaining subjects could never be published.
    /// </summary>
    private async Task StoreOtherResultsAsync(CancellationToken cancellationToken)
    {
        var missing = new List<string>();
        foreach (var subject in ResultSubjects)
        {
            if ((await finder.NamesAsync(subject, cancellationToken)).Count == 0)
            {
                missing.Add(subject);
            }
        }
        if (missing.Count == 0)
        {
            return;
        }
        var name = wanted.NameOf(BusStream.Results);
        if (await finder.FindAsync(name, cancellationToken) is { } own)
        {
            await _update.ApplyToStreamAsync(
                name,
                ConfigurationDifference.Subjects([.. own.Subjects ?? [], .. missing]),
                cancellationToken
            );
        }
        else
        {
            await jetStream.CreateStreamAsync(wanted.Stream(BusStream.Results) with { Subjects = missing }, cancellationToken);
        }
        Log.StreamCreated(logger, name);
    }
}
