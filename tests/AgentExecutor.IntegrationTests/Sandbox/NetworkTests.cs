using System.Net;
using System.Net.Sockets;
using System.Text;

namespace AgentExecutor.IntegrationTests.Sandbox;

/// <summary>Programs that ask for the network, where the operator allows some hosts.</summary>
public sealed class NetworkTests
{
    private const string Fetch = """
        import os, socket, sys, urllib.error, urllib.request
        def fetch(url):
            try:
                with urllib.request.urlopen(url, timeout=20) as response:
                    return response.status, response.read().decode().strip()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode().strip()
            except OSError as error:
                return 'error', str(error)
        """;

    [Theory]
    [InlineData("root")]
    [InlineData("user")]
    public async Task Listed_hosts_are_reached_and_no_others(string user)
    {
        using var site = new SandboxSite(user, isForbidden: false);
        using var allowed = new OneAnswerServer("allowed");
        using var other = new OneAnswerServer("other");
        site.Variables["AGENT_EXECUTOR_SANDBOX_ALLOWED_HOSTS"] = $"127.0.0.1:{allowed.Port}";

        var output = await site.PythonAsync(
            Fetch
                + $$"""

                print(fetch('http://127.0.0.1:{{allowed.Port}}/path?query=1'))
                for host in ('127.0.0.1:{{other.Port}}', 'localhost:{{other.Port}}', '169.254.169.254',
                             '[::1]:{{other.Port}}', 'example.com'):
                    print(fetch(f'http://{host}/')[0], fetch(f'https://{host}/')[0])
                for address in (('127.0.0.1', {{other.Port}}), ('127.0.0.1', {{allowed.Port}}), ('169.254.169.254', 80), ('10.0.0.1', 80)):
                    try:
                        print('possible:', socket.create_connection(address, timeout=3))
                    except OSError:
                        pass
                """,
            "--network"
        );

        Assert.Equal("(200, 'allowed /path?query=1')\n" + string.Concat(Enumerable.Repeat("403 error\n", 5)), output);
        Assert.Equal(0, other.Requests);
    }

    [Theory]
    [InlineData("root")]
    [InlineData("user")]
    public async Task If_all_public_hosts_are_allowed_internal_addresses_are_still_refused(string user)
    {
        using var site = new SandboxSite(user, isForbidden: false);
        using var other = new OneAnswerServer("other");
        site.Variables["AGENT_EXECUTOR_SANDBOX_ALLOWED_HOSTS"] = "*";

        var output = await site.PythonAsync(
            Fetch
                + $$"""

                for host in ('127.0.0.1:{{other.Port}}', 'localhost:{{other.Port}}', '2130706433:{{other.Port}}', '0x7f.1:{{other.Port}}',
                             '[::ffff:127.0.0.1]:{{other.Port}}', '[::1]:{{other.Port}}', '0.0.0.0:{{other.Port}}', '169.254.169.254',
                             '10.0.0.1', '192.168.0.1', '172.16.0.1', '100.64.0.1', '[fe80::1]', '[fd00::1]', '[64:ff9b::7f00:1]'):
                    status, text = fetch(f'http://{host}/')
                    if status == 200:
                        print('possible:', host, text)
                    elif status != 403 and '0x7f' not in host:
                        print('not refused:', host, status, text)
                print('done')
                """,
            "--network"
        );

        Assert.Equal("done\n", output);
        Assert.Equal(0, other.Requests);
    }

    [Theory]
    [InlineData("root")]
    [InlineData("user")]
    public async Task A_tunnel_carries_both_directions(string user)
    {
        using var site = new SandboxSite(user, isForbidden: false);
        using var server = new OneAnswerServer("through a tunnel");
        site.Variables["AGENT_EXECUTOR_SANDBOX_ALLOWED_HOSTS"] = "127.0.0.1";

        var output = await site.PythonAsync(
            $$"""
            import http.client
            connection = http.client.HTTPConnection('127.0.0.1', 3128, timeout=20)
            connection.set_tunnel('127.0.0.1', {{server.Port}})
            connection.request('GET', '/inner')
            print(connection.getresponse().read().decode().strip())
            """,
            "--network"
        );

        Assert.Equal("through a tunnel /inner\n", output);
    }

    [Theory]
    [InlineData("root", true, "*", "cannot use the network, because the isolation 'restricted'")]
    [InlineData("user", true, "*", "cannot use the network, because the isolation 'restricted'")]
    [InlineData("user", false, "", "may not use the network here")]
    public async Task The_network_is_refused_where_it_is_not_allowed_or_cannot_be_limited(
        string user,
        bool isForbidden,
        string hosts,
        string message
    )
    {
        using var site = new SandboxSite(user, isForbidden);
        site.Variables["AGENT_EXECUTOR_SANDBOX_ALLOWED_HOSTS"] = hosts;

        var result = await site.RunAsync("--network", "--", "true");

        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains(message, result.Error);
        Assert.Contains("sandbox_unavailable", result.Error);
    }

    /// <summary>Answers every HTTP request with a text and the path of the request.</summary>
    private sealed class OneAnswerServer : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly string _text;
        private readonly Task _serving;
        private int _requests;

        public OneAnswerServer(string text)
        {
            _text = text;
            _listener.Start();
            _serving = ServeAsync();
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public int Requests => _requests;

        public void Dispose()
        {
            _listener.Dispose();
            _serving.Wait();
        }

        private async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    using var client = await _listener.AcceptTcpClientAsync();
                    Interlocked.Increment(ref _requests);
                    using var reader = new StreamReader(client.GetStream());
                    var path = (await reader.ReadLineAsync())?.Split(' ')[1];
                    while (await reader.ReadLineAsync() is { Length: > 0 }) { }
                    var body = $"{_text} {path}\n";
                    await client
                        .GetStream()
                        .WriteAsync(
                            Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}")
                        );
                }
            }
            catch (Exception exception) when (exception is SocketException or IOException or ObjectDisposedException)
            {
                // The server ends.
            }
        }
    }
}
