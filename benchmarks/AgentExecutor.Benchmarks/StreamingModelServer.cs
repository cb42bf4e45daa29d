using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Benchmarks;

/// <summary>
/// A server in a separate process that streams a chat completion in chunks, so that the measured process shares only the machine and the
/// network with it. The model of the request determines the number of chunks and their interval: <c>chunks-milliseconds</c>.
/// </summary>
internal sealed class StreamingModelServer : IDisposable
{
    public const string Command = "model-server";

    private const string Head = """data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",""";

    private static readonly byte[] Chunk = Encoding.UTF8.GetBytes(
        Head + "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":null}]}\n\n"
    );

    private static readonly byte[] End = Encoding.UTF8.GetBytes(
        Head
            + "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
            + Head
            + "\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":10,\"total_tokens\":20}}\n\n"
            + "data: [DONE]\n\n"
    );

    private readonly Process _process;

    private StreamingModelServer(Process process, string url) => (_process, Url) = (process, url);

    /// <summary>The value for <c>OPENAI_BASE_URL</c>.</summary>
    public string Url { get; }

    public static StreamingModelServer Start()
    {
        var process = Process.Start(
            new ProcessStartInfo(Environment.ProcessPath!, [Command]) { RedirectStandardOutput = true, RedirectStandardInput = true }
        )!;
        return new StreamingModelServer(process, process.StandardOutput.ReadLine()!);
    }

    /// <summary>The main method of the process, which serves until its standard input ends.</summary>
    public static async Task<int> ServeAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options => options.Listen(IPAddress.Loopback, 0));
        builder.Logging.ClearProviders();
        await using var app = builder.Build();
        app.Run(AnswerAsync);
        await app.StartAsync();
        Console.WriteLine($"{app.Urls.First()}/v1");
        await Console.In.ReadToEndAsync();
        return 0;
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private static async Task AnswerAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        var at = body.IndexOf("chunks-", StringComparison.Ordinal) + "chunks-".Length;
        var numbers = body[at..body.IndexOf('"', at)].Split('-').Select(text => int.Parse(text, CultureInfo.InvariantCulture)).ToArray();
        context.Response.ContentType = "text/event-stream";
        for (var i = 0; i < numbers[0]; i++)
        {
            await context.Response.Body.WriteAsync(Chunk);
            if (numbers[1] > 0)
            {
                await context.Response.Body.FlushAsync();
                await Task.Delay(TimeSpan.FromMilliseconds(numbers[1]), TimeProvider.System, context.RequestAborted);
            }
        }
        await context.Response.Body.WriteAsync(End);
    }
}
