using System.Text;
using AgentExecutor.Core;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Parts of messages that a wire takes in another form, or not at all.</summary>
internal static class PartFaults
{
    private static readonly string[] TextTypes = ["application/json", "application/xml", "application/yaml", "application/x-ndjson"];

    /// <summary>The content of a text file; null where it is none.</summary>
    public static string? TextOf(DataContent data)
    {
        if (!data.HasTopLevelMediaType("text") && !TextTypes.Contains(data.MediaType))
        {
            return null;
        }
        var text = Encoding.UTF8.GetString(data.Data.Span);
        return data.Name is { Length: > 0 } name ? $"{name}:\n{text}" : text;
    }

    public static FaultException NotTaken(AIContent content, string provider) => new(
        FaultCodes.ModelInvalidRequest, $"{provider} takes no message part that is {Describe(content)}", "send text, an image, or a PDF with its data, or use a model that takes it");

    private static string Describe(AIContent content) => content switch
    {
        DataContent data => $"{data.MediaType} data",
        UriContent link => $"a link to {link.MediaType}",
        HostedFileContent => "the id of an uploaded file",
        _ => content.GetType().Name,
    };
}
