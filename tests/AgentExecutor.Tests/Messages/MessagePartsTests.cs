using AgentExecutor.Core;
using AgentExecutor.Core.Messages;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Tests.Messages;

public sealed class MessagePartsTests
{
    [Theory]
    [InlineData("\"just text\"", "text just text")]
    [InlineData("""{"type": "input_text", "text": "hello"}""", "text hello")]
    [InlineData(
        """{"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}}""",
        "link image/* https://x.example/a.png"
    )]
    [InlineData("""{"type": "input_image", "image_url": "data:image/gif;base64,R0lG"}""", "data image/gif R0lG")]
    [InlineData("""{"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "R0lG"}}""", "data image/webp R0lG")]
    [InlineData("""{"type": "image", "source_type": "url", "url": "https://x.example/a"}""", "link image/* https://x.example/a")]
    [InlineData("""{"type": "image", "base64": "R0lG", "mime_type": "image/png"}""", "data image/png R0lG")]
    [InlineData(
        """{"type": "file", "source_type": "base64", "mime_type": "application/pdf", "data": "R0lG", "filename": "a.pdf"}""",
        "data application/pdf R0lG a.pdf"
    )]
    [InlineData(
        """{"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,R0lG"}""",
        "data application/pdf R0lG a.pdf"
    )]
    [InlineData("""{"type": "input_file", "file_url": "https://x.example/a.pdf"}""", "link application/pdf https://x.example/a.pdf")]
    [InlineData("""{"type": "file", "file": {"file_id": "file-1"}}""", "hosted file-1")]
    [InlineData("""{"type": "media", "mime_type": "audio/mpeg", "data": "R0lG"}""", "data audio/mpeg R0lG")]
    public void Parts_are_read_in_the_formats_of_all_providers(string part, string expected) =>
        Assert.Equal(
            expected,
            MessageParts.Read(Engine.Json($"[{part}]")).Single() switch
            {
                TextContent text => $"text {text.Text}",
                DataContent data => $"data {data.MediaType} {data.Base64Data} {data.Name}".TrimEnd(),
                UriContent link => $"link {link.MediaType} {link.Uri}",
                HostedFileContent file => $"hosted {file.FileId}",
                var other => other.GetType().Name,
            }
        );

    [Theory]
    [InlineData("""{"type": "hologram"}""", "content part 1 of a message has the unknown type 'hologram'")]
    [InlineData("""{"type": "image"}""", "content part 1 of a message of the type 'image' contains neither data nor a URL")]
    [InlineData("""{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}""", "its URL is not an http, https or data URL")]
    [InlineData(
        """{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "not base64!"}}""",
        "its data is not valid base64"
    )]
    [InlineData(
        """{"type": "image", "source": {"type": "base64", "media_type": "nonsense", "data": "R0lG"}}""",
        "content part 1 of a message cannot be read"
    )]
    [InlineData("7", "content part 1")]
    public void A_part_that_cannot_be_read_is_named(string part, string expected)
    {
        var fault = Assert.Throws<FaultException>(() => MessageParts.Read(Engine.Json($"[\"x\", {part}]")));

        Assert.Equal(FaultCodes.ModelInvalidRequest, fault.Code);
        Assert.Contains(expected, fault.Message, StringComparison.Ordinal);
    }
}
