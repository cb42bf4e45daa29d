using System.Text;
using AgentExecutor.Core;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Handles message parts that an API accepts in another form, or not at all.</summary>
internal static class PartFaults
{
    private static readonly string[] TextTypes = ["application/json", "application/xml", "application/yaml", "application/x-ndjson"];

    /// <summary>Returns the content of a text file, or null if the data is something else.</summary>
    public static string? TextOf(DataContent data)
    {
        if (!data.HasTopLevelMediaType("text") && !TextTypes.Contains(data.MediaType))
        {
            return null;
        }
        var text = Encoding.UTF8.GetString(data.Data.Span);
        return data.Name is { Length: > 0 } name ? $"{name}:\n{text}" : text;
    }

    public static FaultException NotSupported(AIContent content, string provider) =>
        new(
            FaultCodes.ModelInvalidRequest,
            $"{provider} does not accept {Describe(content)} in a message",
            "send text, an image, or a PDF with its data, or use a model that accepts it"
        );

    private static string Describe(AIContent content) =>
        content switch
        {
            DataContent data => $"{data.MediaType} data",
            UriContent link => $"a link to {link.MediaType}",
            HostedFileContent => "the id of an uploaded file",
            _ => content.GetType().Name,
        };
}
