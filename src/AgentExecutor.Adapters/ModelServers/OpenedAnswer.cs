using System.Runtime.CompilerServices;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// A model server's answer after its first event has arrived. By then it is known whether the server refuses to answer, even if it says so
/// in a successful response.
/// </summary>
internal sealed class OpenedAnswer : IAsyncDisposable
{
    /// <summary>
    /// How long to wait for more data after the finish reason. The usage is reported then, but some servers leave the connection open.
    /// </summary>
    private static readonly TimeSpan AfterFinish = TimeSpan.FromSeconds(5);

    private readonly IDisposable _response;
    private readonly Stream _stream;
    private readonly AnswerReader _reader;
    private readonly WireAnswer _answer;
    private readonly string _model;
    private readonly TimeProvider _time;

    private OpenedAnswer(IDisposable response, Stream stream, WireAnswer answer, string model, ModelFaults faults, TimeProvider time)
    {
        (_response, _stream, _answer, _model, _time) = (response, stream, answer, model, time);
        _reader = new AnswerReader(stream, faults);
    }

    /// <param name="response">The response, which is disposed of together with the answer.</param>
    /// <param name="stream">The body of the response.</param>
    /// <param name="answer">Interprets the events.</param>
    /// <param name="model">The model that was asked.</param>
    /// <param name="faults">Creates the faults.</param>
    /// <param name="time">The source of time.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="FaultException">The response starts with an error, or is not an answer.</exception>
    public static async Task<OpenedAnswer> OpenAsync(
        IDisposable response,
        Stream stream,
        WireAnswer answer,
        string model,
        ModelFaults faults,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        var opened = new OpenedAnswer(response, stream, answer, model, faults, time);
        try
        {
            if (await opened._reader.PeekAsync(cancellationToken) is { } first && ServerError.OfEvent(first) is { } error)
            {
                throw faults.Of(error);
            }
            return opened;
        }
        catch
        {
            await opened.DisposeAsync();
            throw;
        }
    }

    public async IAsyncEnumerable<ChatResponseUpdate> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        while (await NextAsync(patience, stop.Token, cancellationToken) is { } json)
        {
            yield return AnswerReader.IsKeepAlive(json) ? KeepAlive.Update : Update(_answer.Take(json));
        }
        yield return Update(_answer.End(_reader.IsMarked));
        yield return Update(_answer.Usage is { } usage ? [new UsageContent(usage)] : []);
    }

    public async Task<ChatResponse> ReadWholeAsync(CancellationToken cancellationToken)
    {
        var contents = new List<AIContent>();
        await foreach (var update in ReadAsync(cancellationToken))
        {
            contents.AddRange(update.Contents.Where(content => content is not UsageContent));
        }
        return new ChatResponse(new ChatMessage(ChatRole.Assistant, contents))
        {
            FinishReason = _answer.FinishReason,
            ModelId = _answer.ModelId ?? _model,
            Usage = _answer.Usage,
        };
    }

    public async ValueTask DisposeAsync()
    {
        _reader.Dispose();
        await _stream.DisposeAsync();
        _response.Dispose();
    }

    /// <summary>
    /// Returns the next event. If everything except the end mark has arrived, an answer is complete even if the connection fails or becomes
    /// silent.
    /// </summary>
    private async ValueTask<JsonElement?> NextAsync(
        CancellationTokenSource patience,
        CancellationToken stop,
        CancellationToken cancellationToken
    )
    {
        if (_answer.FinishReason is null)
        {
            return await _reader.NextAsync(stop);
        }
        try
        {
            patience.CancelAfter(AfterFinish);
            return await _reader.NextAsync(stop);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.ModelUnavailable)
        {
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private ChatResponseUpdate Update(IList<AIContent> contents) =>
        new(ChatRole.Assistant, contents)
        {
            ModelId = _answer.ModelId ?? _model,
            FinishReason = _answer.HasEnded ? _answer.FinishReason : null,
        };
}
