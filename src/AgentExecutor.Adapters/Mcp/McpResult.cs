using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;
using ModelContextProtocol.Protocol;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>
/// Converts the result of a server to text. Images, audio and other binary data become files with their data in base64, to which the text
/// refers.
/// </summary>
internal sealed class McpResult(ToolContext context)
{
    private const string Directory = "/tool_results";
    private const int LongestName = 64;

    private readonly StringBuilder _text = new();
    private readonly List<KeyValuePair<string, VirtualFile>> _files = [];

    /// <param name="result">The result.</param>
    /// <param name="context">The call.</param>
    public static ToolResult Read(CallToolResult result, ToolContext context) => new McpResult(context).Read(result);

    private ToolResult Read(CallToolResult result)
    {
        foreach (var block in result.Content)
        {
            Add(block);
        }
        if (result.StructuredContent is { } structured && !IsRepeated(structured, result.Content))
        {
            Line(JsonBytes.Compact(InputJson.Repaired(structured)));
        }
        var isError = result.IsError is true;
        var text = _text.ToString();
        return new ToolResult(isError && !text.StartsWith("Error", StringComparison.Ordinal) ? $"Error: {text}" : text, isError)
        {
            Updates = Updates(),
        };
    }

    private void Add(ContentBlock block)
    {
        switch (block)
        {
            case TextContentBlock text:
                Line(text.Text);
                break;
            case ImageContentBlock image:
                AddFile(image.Data.Span, image.MimeType);
                break;
            case AudioContentBlock audio:
                AddFile(audio.Data.Span, audio.MimeType);
                break;
            case ResourceLinkBlock link:
                Line(
                    $"(the resource {link.Uri}{(link.MimeType is { } type ? $" of the type {type}" : "")}: {link.Description ?? link.Name})"
                );
                break;
            case EmbeddedResourceBlock { Resource: TextResourceContents resource }:
                Line($"(the resource {resource.Uri}:)\n{resource.Text}");
                break;
            case EmbeddedResourceBlock { Resource: BlobResourceContents resource }:
                Line($"(the resource {resource.Uri}:)");
                AddFile(resource.Blob.Span, resource.MimeType ?? "application/octet-stream");
                break;
            default:
                Line($"(content of the unknown type '{block.Type}')");
                break;
        }
    }

    /// <summary>Adds binary data, which is base64 as UTF-8 bytes.</summary>
    private void AddFile(ReadOnlySpan<byte> base64, string mimeType)
    {
        var tool = string.Concat(
            context.Call.Name.Take(LongestName).Select(it => char.IsAsciiLetterOrDigit(it) || it is '-' or '_' ? it : '_')
        );
        var kind = string.Concat(mimeType.Split('/')[^1].Take(16).Where(char.IsAsciiLetterOrDigit));
        var path = $"{Directory}/{tool}-{context.Node.TaskPath}-{_files.Count + 1}.{kind}.base64";
        var data = Encoding.UTF8.GetString(base64);
        _files.Add(KeyValuePair.Create(path, new VirtualFile(data, context.Node.Now, context.Node.Now)));
        Line($"({mimeType}, {data.Length / 4 * 3} bytes: its data is in the file {path}, in base64)");
    }

    private void Line(string text) => _text.Append(_text.Length == 0 ? "" : "\n").Append(text);

    /// <summary>Servers usually repeat structured content as text, for clients that know only text.</summary>
    private static bool IsRepeated(JsonElement structured, IEnumerable<ContentBlock> content)
    {
        foreach (var text in content.OfType<TextContentBlock>())
        {
            try
            {
                if (JsonElement.DeepEquals(InputJson.Parse(text.Text), structured))
                {
                    return true;
                }
            }
            catch (JsonException)
            {
                // This text is something else.
            }
        }
        return false;
    }

    private ImmutableArray<ToolUpdate> Updates() =>
        _files.Count == 0
            ? []
            :
            [
                new ToolUpdate(
                    "files",
                    JsonBytes.Element(
                        _files,
                        static (writer, files) =>
                        {
                            writer.WriteStartObject();
                            foreach (var (path, file) in files)
                            {
                                writer.WritePropertyName(path);
                                VirtualFile.Write(writer, file);
                            }
                            writer.WriteEndObject();
                        }
                    )
                ),
            ];
}
