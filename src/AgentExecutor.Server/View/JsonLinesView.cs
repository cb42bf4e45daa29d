using System.Text;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.View;

/// <summary>Writes each event as one line of JSON.</summary>
internal sealed class JsonLinesView(Stream output) : IRunView
{
    private static readonly byte[] NewLine = Encoding.UTF8.GetBytes("\n");

    public void Show(EventEnvelope envelope)
    {
        output.Write([.. JsonBytes.Write(envelope, RunEventJson.Write), .. NewLine]);
        output.Flush();
    }

    public void Notice(string text) => Console.Error.WriteLine(text);

    public void Refresh()
    {
        // events are written at once
    }
}
