using System.Net;
using System.Text;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Api;

public sealed class FuzzTests(PostgresFixture postgres)
{
    private const int Seed = 20_26;

    private static readonly string[] ContentTypes =
    [
        "application/json",
        JobRequests.Structured,
        JobRequests.Batch,
        "application/json; charset=utf-8",
        "application/cloudevents",
        "text/json",
        "application/json;;",
        "",
        ";",
        "application/ json",
        "a/b+json",
    ];

    private static readonly string[] Values =
    [
        "",
        " ",
        "1.0",
        "0.3",
        "%",
        "%zz",
        "%00",
        "%C3%28",
        "\"",
        "dev.my-platform.agent.execute",
        "2026-99-99T00:00:00Z",
        "respond-async",
        ",;=,",
        "00-0-0-0",
    ];

    private static readonly string[] HeaderNames =
    [
        "ce-specversion",
        "ce-id",
        "ce-source",
        "ce-type",
        "ce-time",
        "ce-subject",
        "ce-x_y",
        "ce-",
        "ce-data",
        "traceparent",
        "Prefer",
        "Accept",
        "Expect-CT",
    ];

    [Theory]
    [InlineData(false, 500)]
    [InlineData(true, 300)]
    public async Task No_request_causes_an_internal_server_error(bool isPostgres, int count)
    {
        await using var server = await ApiServer.StartAsync(isPostgres ? await postgres.SchemaAsync() : null);
        await server.PostAsync("/", JobRequests.Data("asked", JobRequests.Asking("http://127.0.0.1:9/")));

        foreach (var index in Enumerable.Range(0, count))
        {
            var random = new Random(Seed + index);
            using var request = Mutated(random, index);
            var reply = await server.SendAsync(request);
            Assert.True((int)reply.Status < 500, $"{index}: {request.RequestUri} answered {(int)reply.Status}: {reply.Body}");
        }

        (await server.PostAsync("/", JobRequests.Data("after"))).AssertStatus(HttpStatusCode.OK);
    }

    private static HttpRequestMessage Mutated(Random random, int index)
    {
        var id = $"fuzz-{index % 20}";
        var (path, body, type) = random.Next(8) switch
        {
            0 => ("/", JobRequests.Data(id), "application/json"),
            1 => ("/", $"[{JobRequests.Event(id)}, {JobRequests.Event("fuzz-b", JobRequests.Writer)}]", JobRequests.Batch),
            2 => ("/deepagents-runtime/invoke", JobRequests.Data(id, JobRequests.Asking("http://127.0.0.1:9/")), "application/json"),
            3 => ("/threads/asked/resume", """{"answers": {"": {"text": "\u00e4\u0000"}, "x": [1, 2]}}""", "application/json"),
            4 => (
                $"/threads/asked/history?limit={Pick(random, "1", "-1", "9e9", "%00", "x")}"
                    + $"&before={Pick(random, "", "%00", "zz", "%F0%9F%98%80")}&ns={Pick(random, "", "%00", "%ED%A0%80")}",
                "",
                ""
            ),
            _ => ("/", JobRequests.Event(id), JobRequests.Structured),
        };
        var headers = Enumerable
            .Range(0, random.Next(3))
            .Select(_ => (HeaderNames[random.Next(HeaderNames.Length)], Values[random.Next(Values.Length)]))
            .Append(("Prefer", "respond-async"))
            .ToArray();
        var request = ApiServer.Request(
            path,
            Mutate(random, Encoding.UTF8.GetBytes(body)),
            random.Next(4) == 0 ? ContentTypes[random.Next(ContentTypes.Length)] : type,
            headers
        );
        request.Method = type.Length == 0 ? HttpMethod.Get : HttpMethod.Post;
        request.Content = type.Length == 0 ? null : request.Content;
        request.Headers.TransferEncodingChunked = random.Next(3) == 0 && type.Length > 0;
        return request;
    }

    private static byte[] Mutate(Random random, byte[] body)
    {
        var bytes = body.ToList();
        for (var times = random.Next(5); times > 0 && bytes.Count > 0; times--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(6))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 2:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 30), bytes.Count - at));
                    break;
                case 3:
                    bytes.InsertRange(at, bytes.GetRange(0, Math.Min(bytes.Count, random.Next(1, 200))));
                    break;
                case 4:
                    bytes.InsertRange(
                        at,
                        Encoding.UTF8.GetBytes(
                            Pick(random, "\\u0000", "\\ud800", "null", "1e999", "[[[[", "{}", "\"\"", "-", ",\"job_id\":\"x\"", "\uFEFF")
                        )
                    );
                    break;
                default:
                    bytes[at] = (byte)random.Next(256);
                    break;
            }
        }
        return [.. bytes];
    }

    private static string Pick(Random random, params string[] options) => options[random.Next(options.Length)];
}
